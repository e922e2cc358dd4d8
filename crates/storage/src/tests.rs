//! The log on a simulated disk: what it keeps through kills, power cuts, damage and full disks.

mod appends;
mod compaction;
mod compaction_crashes;
mod damage;
mod dirs;
mod indexes;
mod loading;
mod many;
mod power_cuts;
mod reads;
mod real_files;
mod retention;
mod support;
mod threads;
