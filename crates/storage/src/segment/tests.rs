//! A segment by itself.

use world::files::{Files, SimFiles};

use super::*;

#[test]
fn what_is_done_to_every_segment_now_and_then_leaves_an_untouched_one_as_it_is() {
    let files = Arc::new(SimFiles::default());
    let folder: Arc<Path> = Path::new("/d/t-0").into();
    let segment = Segment::planned(&OpenFiles::new(files.clone(), 10), &folder, 7);
    assert_eq!(segment.largest_timestamp().expect("nothing is read"), Timestamp(7));
    segment.sync_log().and_then(|()| segment.sync_indexes()).expect("there is nothing to sync");
    segment.finish().expect("there is nothing to end");
    segment.mark_clean();
    segment.close_files();
    assert!(!segment.is_dirty() && segment.find(Offset(0)).expect("nothing is read").is_none());
    assert!(segment.touched().is_none());
    assert!(!files.exists(&folder.join("00000000000000000000.log")));
    assert!(size_of::<Segment>() <= 72, "{} bytes", size_of::<Segment>());
}
