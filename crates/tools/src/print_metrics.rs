//! A client's metrics as `--print-metrics` shows them. Kafka: `ToolsUtils.printMetrics`.

use std::io::{self, Write};

use client::ClientMetric;

/// Prints the metrics of the client with this id, by name.
pub fn print_metrics(metrics: &[ClientMetric], client_id: &str, out: &mut dyn Write) -> io::Result<()> {
    let name = |metric: &ClientMetric| format!("{}:{}:{{client-id={client_id}}}", metric.group, metric.name);
    let mut rows: Vec<_> = metrics.iter().map(|metric| (name(metric), metric.value)).collect();
    rows.sort_by(|one, other| one.0.cmp(&other.0));
    let Some(width) = rows.iter().map(|(name, _)| name.len()).max() else { return Ok(()) };
    writeln!(out, "\n{:width$}   Value", "Metric Name")?;
    rows.iter().try_for_each(|(name, value)| writeln!(out, "{name:width$} : {value:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_a_column_and_values_have_three_places() {
        let metric = |name, value| ClientMetric { group: "g", name, value };
        let mut out = Vec::new();
        print_metrics(&[metric("rate", 1.5), metric("avg", f64::NAN)], "c", &mut out).unwrap();
        let expected =
            "\nMetric Name            Value\ng:avg:{client-id=c}  : NaN\ng:rate:{client-id=c} : 1.500\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
