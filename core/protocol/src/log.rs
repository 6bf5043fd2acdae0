//! Marks in the log of a batch that tell which frame Blender was at, so that a frame's part can be found.

use crate::Frame;

const START: &str = "--- frame ";
const END: &str = " ---";

/// The line that an agent puts before what Blender prints for a frame.
pub fn frame_mark(frame: Frame) -> String {
    format!("{START}{frame}{END}")
}

/// The frame whose part of the log begins with this line.
pub fn marked_frame(line: &str) -> Option<Frame> {
    line.strip_prefix(START)?.strip_suffix(END)?.parse().ok()
}

/// What the log of a batch holds of one frame: what precedes every mark, then the frame's own part. All of it
/// where no frame is marked, and nothing where only other frames are.
pub fn log_of_frame(log: &str, frame: Frame) -> Option<String> {
    let mut kept = String::new();
    let mut at = None;
    let mut found = false;
    for line in log.lines() {
        at = marked_frame(line).or(at);
        found |= at == Some(frame);
        if at.is_none() || at == Some(frame) {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    (found || at.is_none()).then_some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frames_part_of_a_log_is_found_by_its_mark() {
        let frame = |number: i64| Frame::try_from(number).unwrap();
        let log = "Blender 5.0\n--- frame -1 ---\nSaved: a\n--- frame 2 ---\nError: no camera\n";
        let part = |number| log_of_frame(log, frame(number));
        assert_eq!(part(-1).unwrap(), "Blender 5.0\n--- frame -1 ---\nSaved: a\n");
        assert_eq!(
            part(2).unwrap(),
            "Blender 5.0\n--- frame 2 ---\nError: no camera\n"
        );
        assert_eq!(part(3), None);
        assert_eq!(
            log_of_frame("no marks\n", frame(3)).as_deref(),
            Some("no marks\n")
        );
        assert_eq!(marked_frame(&frame_mark(frame(-7))), Some(frame(-7)));
    }
}
