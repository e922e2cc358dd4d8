//! `meta.properties`: whose log dir this is.
//!
//! Invariants:
//! - version 1 has a cluster, a node and a directory id; version 0 (of ZooKeeper's time) is read, never written
//!
//! Kafka: `MetaProperties`, `PropertiesUtils.writePropertiesFile`.

use std::io;
use std::path::{Path, PathBuf};

use config::ConfigMap;
use model::{NodeId, Uuid};
use world::files::Files;

use crate::StorageError;

/// The file's name.
pub const META_PROPERTIES_FILE: &str = "meta.properties";

/// What the file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetaProperties {
    /// 0 or 1.
    pub version: i32,
    /// The cluster's id.
    pub cluster_id: Option<String>,
    /// The node's id.
    pub node_id: Option<NodeId>,
    /// The log dir's id.
    pub directory_id: Option<Uuid>,
}

impl MetaProperties {
    /// Describes a log dir of version 1.
    pub fn new(cluster_id: impl Into<String>, node_id: NodeId, directory_id: Uuid) -> Self {
        Self {
            version: 1,
            cluster_id: Some(cluster_id.into()),
            node_id: Some(node_id),
            directory_id: Some(directory_id),
        }
    }

    /// Returns where the file of a log dir is.
    pub fn path(dir: &Path) -> PathBuf {
        dir.join(META_PROPERTIES_FILE)
    }

    /// Reads the file of a log dir; `None` if it was not formatted.
    pub fn read(files: &dyn Files, dir: &Path) -> Result<Option<Self>, StorageError> {
        let path = Self::path(dir);
        let malformed = |detail: String| StorageError::Malformed { path: path.clone(), detail };
        let bytes = match files.read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // A file that cannot be read may be there.
            read => read.map_err(|error| malformed(error.to_string()))?,
        };
        Self::parse(&bytes).map(Some).map_err(malformed)
    }

    /// Reads the file's contents.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(contents: &[u8]) -> Result<Self, String> {
        Self::from_map(&config::parse_properties(contents).map_err(|error| error.to_string())?)
    }

    fn from_map(map: &ConfigMap) -> Result<Self, String> {
        let number = |key: &str| {
            map.get(key)
                .map(|text| {
                    text.trim()
                        .parse::<i32>()
                        .map_err(|_| format!("Unable to read {key} as a base-10 number."))
                })
                .transpose()
        };
        let version = number("version")?.unwrap_or(0);
        if !(0..=1).contains(&version) {
            return Err(format!("Unsupported version {version}."));
        }
        let directory_id = match map.get("directory.id") {
            None => None,
            Some(text) => Some(
                text.trim()
                    .parse()
                    .map_err(|_| "Unable to read directory.id as an unique identifier.".to_owned())?,
            ),
        };
        let node_id = match version {
            0 => number("broker.id")?,
            _ => number("node.id")?,
        };
        let cluster_id = map.get("cluster.id").cloned();
        if version == 1 && cluster_id.is_none() {
            return Err("cluster.id was not found.".to_owned());
        }
        if version == 1 && node_id.is_none() {
            return Err("node.id was not found.".to_owned());
        }
        Ok(Self { version, cluster_id, node_id: node_id.map(NodeId), directory_id })
    }

    /// Returns the file's text as Kafka writes it; `now_ms` is for the comment that Java puts first.
    pub fn text(&self, now_ms: i64) -> String {
        let mut text = format!("#\n#{}\n", java_date(now_ms));
        if let Some(id) = self.node_id {
            text += &format!("node.id={id}\n");
        }
        if let Some(id) = self.directory_id {
            text += &format!("directory.id={id}\n");
        }
        text += &format!("version={}\n", self.version);
        if let Some(id) = &self.cluster_id {
            text += &format!("cluster.id={id}\n");
        }
        text
    }

    /// Writes the file of a log dir.
    pub fn write(&self, files: &dyn Files, dir: &Path, now_ms: i64) -> io::Result<()> {
        files.write_atomically(&Self::path(dir), self.text(now_ms).as_bytes())
    }
}

/// Formats a time as `java.util.Date.toString` does in UTC: `Sat Nov 21 12:46:12 UTC 2026`.
fn java_date(now_ms: i64) -> String {
    const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = now_ms.div_euclid(1000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_date(days);
    format!(
        "{} {} {day:02} {:02}:{:02}:{:02} UTC {year}",
        WEEKDAYS[days.rem_euclid(7) as usize],
        MONTHS[month as usize - 1],
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// Turns days since 1970 into year, month and day, counting from 1 March of year 0 so that leap days come last.
fn civil_date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use world::files::SimFiles;

    #[test]
    fn the_file_reads_back_and_has_javas_date() {
        let files = SimFiles::default();
        let written = MetaProperties::new("8gT0Mt2mQB6wPMrvaJ5Zyg", NodeId(1), Uuid::from_u128(1 << 100));
        written.write(&files, Path::new("/"), 1_795_265_172_000).expect("the disk is well");
        let text =
            String::from_utf8(files.read(Path::new("/meta.properties")).expect("written")).expect("text");
        assert!(text.starts_with("#\n#Sat Nov 21 12:46:12 UTC 2026\nnode.id=1\ndirectory.id="), "{text}");
        assert_eq!(MetaProperties::read(&files, Path::new("/")).expect("well-formed"), Some(written));
        assert_eq!(MetaProperties::read(&files, Path::new("/x")).expect("none"), None);
    }

    #[test]
    fn dates_of_leap_years_are_right() {
        assert_eq!(civil_date(0), (1970, 1, 1));
        assert_eq!(civil_date(11_016), (2000, 2, 29));
        assert_eq!(civil_date(-1), (1969, 12, 31));
    }

    #[test]
    fn a_file_without_a_node_is_refused() {
        let map = |text: &str| config::parse_properties(text.as_bytes()).expect("well-formed");
        assert!(MetaProperties::from_map(&map("version=1\ncluster.id=a")).is_err());
        assert!(MetaProperties::from_map(&map("version=2\ncluster.id=a\nnode.id=1")).is_err());
        assert_eq!(
            MetaProperties::from_map(&map("broker.id=3")).expect("version 0").node_id,
            Some(NodeId(3))
        );
    }
}
