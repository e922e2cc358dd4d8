//! What retention spares that comes while it looks.

use model::Offset;
use world::files::SimFiles;

use super::support::*;

#[test]
fn records_that_come_while_retention_looks_at_the_active_segment_stay() {
    let node = Node::start(&SimFiles::default(), &["/d"], &small());
    let log = node.log(0, &small());
    append(&log, batch("old", 3)).expect("valid");
    log.update_high_watermark(Offset(3));
    let deleted = log.delete_oldest("test", |_, _| {
        append(&log, batch("new", 1)).expect("valid");
        log.update_high_watermark(log.log_end_offset());
        Ok(true)
    });
    assert_eq!(deleted.expect("the disk is well"), 0, "the segment is not what it was when it was looked at");
    assert_eq!(values(&log, Offset(3)), [(Offset(3), "new.0".to_owned())]);
}

#[test]
fn a_segment_that_grew_until_it_was_full_while_retention_looked_stays() {
    let node = Node::start(&SimFiles::default(), &["/d"], &small());
    let log = node.log(0, &small());
    while log.segment_infos().len() < 3 {
        append(&log, batch("old", 3)).expect("valid");
    }
    log.update_high_watermark(log.log_end_offset());
    let (active, end) = (log.segment_infos()[2].base_offset, log.log_end_offset());
    let deleted = log.delete_oldest("test", |_, next| {
        while next.is_none() && log.segment_infos().len() < 4 {
            append(&log, batch("new", 3)).expect("valid");
            log.update_high_watermark(log.log_end_offset());
        }
        Ok(true)
    });
    assert_eq!(deleted.expect("the disk is well"), 2);
    assert_eq!(log.log_start_offset(), active);
    assert_eq!(values(&log, end)[0].0, end);
}
