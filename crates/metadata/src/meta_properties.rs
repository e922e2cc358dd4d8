//! `meta.properties`: the file in each log dir that says to which cluster and node it belongs.
//!
//! Kafka: `MetaProperties`, `MetaPropertiesEnsemble`.

use model::{NodeId, Uuid};

/// The contents of `meta.properties`. `V1` is what every KRaft node writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// The cluster's id, as `kafka-storage format -t` was given it.
    pub cluster_id: String,
    /// The node's `node.id`.
    pub node_id: NodeId,
    /// The id of this log dir; `None` in directories formatted before 3.7.
    pub directory_id: Option<Uuid>,
}

/// The file cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetaPropertiesError {
    /// A property is missing.
    #[error("Failed to find {0}")]
    Missing(&'static str),
    /// A property has a value of the wrong form.
    #[error("Unable to read {0} as a {1}: `{2}`")]
    Malformed(&'static str, &'static str, String),
    /// The file is of a later version.
    #[error("Unknown meta.properties version number {0}")]
    UnknownVersion(String),
}

impl MetaProperties {
    /// The file's name within each log dir.
    pub const FILE_NAME: &'static str = "meta.properties";

    /// Reads the file's text.
    ///
    /// # Errors
    /// If a property is missing or malformed.
    pub fn parse(text: &str) -> Result<Self, MetaPropertiesError> {
        let version = property(text, "version").unwrap_or("0");
        if !matches!(version, "0" | "1") {
            return Err(MetaPropertiesError::UnknownVersion(version.to_owned()));
        }
        let cluster_id = property(text, "cluster.id").ok_or(MetaPropertiesError::Missing("cluster.id"))?;
        let node_key = if version == "0" { "broker.id" } else { "node.id" };
        let node_id = property(text, node_key).ok_or(MetaPropertiesError::Missing(node_key))?;
        let malformed = || MetaPropertiesError::Malformed(node_key, "base-10 number", node_id.to_owned());
        let directory_id = property(text, "directory.id").map(directory_id).transpose()?;
        let node_id = NodeId(node_id.parse().map_err(|_| malformed())?);
        Ok(Self { cluster_id: cluster_id.to_owned(), node_id, directory_id })
    }

    /// Returns the file's text.
    pub fn to_text(&self) -> String {
        let directory = self.directory_id.map(|id| format!("directory.id={id}\n")).unwrap_or_default();
        format!("#\nnode.id={}\n{directory}version=1\ncluster.id={}\n", self.node_id, self.cluster_id)
    }
}

fn directory_id(text: &str) -> Result<Uuid, MetaPropertiesError> {
    text.parse().map_err(|_| MetaPropertiesError::Malformed("directory.id", "Uuid", text.to_owned()))
}

/// The value of `key` in Java properties as Kafka writes them; the last one counts.
fn property<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', '!']));
    lines
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| name.trim() == key)
        .last()
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN_BY_KAFKA: &str = "#\n#Sat Nov 21 12:46:50 UTC 2026\nnode.id=1\n\
        directory.id=yESSBl4yR8Cu8nRFMSWkyw\nversion=1\ncluster.id=4L6g3nShT-eMCtK--X86sw\n";

    #[test]
    fn a_file_written_by_kafka_is_read() {
        let properties = MetaProperties::parse(WRITTEN_BY_KAFKA).expect("it is well-formed");
        assert_eq!(properties.node_id, NodeId(1));
        assert_eq!(properties.cluster_id, "4L6g3nShT-eMCtK--X86sw");
        assert_eq!(properties.directory_id, "yESSBl4yR8Cu8nRFMSWkyw".parse().ok());
        assert_eq!(MetaProperties::parse(&properties.to_text()), Ok(properties));
    }

    #[test]
    fn a_file_without_a_cluster_id_is_refused() {
        assert_eq!(
            MetaProperties::parse("version=1\nnode.id=1\n"),
            Err(MetaPropertiesError::Missing("cluster.id"))
        );
    }
}
