//! The one key table: dispatch, footer, help and palette are read from it. A line is a context, its keys, the
//! action, a word or two for the footer (empty where it is not shown there), and a sentence for the help.

use super::{Action, Context};

/// A line of the table, its keys as they are written.
pub(crate) struct Entry {
    pub(crate) context: Context,
    pub(crate) keys: &'static [&'static str],
    pub(crate) action: Action,
    pub(crate) hint: &'static str,
    pub(crate) help: &'static str,
}

macro_rules! table {
    ($($context:ident: [$($key:literal),+] => $action:ident, $hint:literal, $help:literal;)+) => {
        &[$(Entry {
            context: Context::$context,
            keys: &[$($key),+],
            action: Action::$action,
            hint: $hint,
            help: $help,
        }),+]
    };
}

/// All keys of all contexts. The footer shows hints in this order. A context's own lines go before those of
/// the layers under it (see [`Context::layers`]).
pub(crate) const TABLE: &[Entry] = table! {
    Farm: ["enter"] => Open, "open", "the screen of the selected job, batch or node; an event in full";
    Farm: ["n"] => Submit, "submit", "submit a job";
    Farm: ["c"] => Cancel, "cancel", "cancel the selected batch or job; asks, and says what is lost";
    Farm: ["r"] => Retry, "retry", "render failed and cancelled frames of the selected batch or job again";
    Farm: ["w"] => Why, "why", "why the selected job, batch or node waits or failed, and what to do";
    Farm: ["/"] => Search, "find", "show some rows only: words, field:word, a leading ! turns it round; esc shows all";
    Farm: [":"] => Palette, "cmd", "find an action, a job, a node or a batch by a few letters";
    Farm: ["l", "L"] => Log, "log", "what Blender printed: for the job or batch its failed frame, else its newest";
    Farm: ["v"] => Preview, "image", "the picture of the job's or batch's newest frame";
    Farm: ["p"] => PauseOrResume, "pause", "hold the selected job, or let it go on";
    Farm: ["tab", "right"] => NextPanel, "panel", "next panel";
    Farm: ["y"] => Copy, "copy", "copy the selected row's id, address or text to the terminal's clipboard";
    Farm: ["d"] => Drain, "drain", "drain the selected node: it finishes its frame and gets nothing new; again: undrain";
    Farm: ["a"] => AddNode, "add node", "make a node known by its agent's address";
    Farm: ["u"] => Undo, "", "take the last retry, cancel, pause, priority or drain back, for 8 seconds";
    Farm: ["+", "="] => Raise, "", "raise the selected job's priority by 10";
    Farm: ["-"] => Lower, "", "lower it by 10";
    Farm: ["C"] => CancelShown, "", "cancel every unfinished job that the filter shows; for more than one the answer is typed";
    Farm: ["B"] => DrainUntil, "", "take the selected node for yourself until a time of day: it finishes its frame, and works again then";
    Farm: ["D"] => DrainNow, "", "drain the selected node now: its frame is stopped and rendered elsewhere; asks";
    Farm: ["shift-tab", "left"] => PreviousPanel, "", "previous panel";
    Farm: ["X"] => Forget, "", "forget the selected ended job, or a node that is gone; its pictures stay; asks";
    Farm: ["o"] => NextSort, "sort", "sort the table by its next column";
    Farm: ["O"] => ReverseSort, "", "turn the order of the table round";
    Farm: ["z z"] => Freeze, "", "hold what is shown while the farm goes on; again: follow it";
    Farm: ["z m"] => Zoom, "", "the panel with the focus alone; again: all";
    Farm: ["esc"] => Back, "", "show all rows, all panels";
    Farm: ["1", "g j"] => ShowJobs, "", "jobs";
    Farm: ["2", "g n"] => ShowNodes, "", "nodes";
    Farm: ["3", "g b"] => ShowBatches, "", "batches of the selected job";
    Farm: ["4", "g e"] => ShowEvents, "", "events";
    Farm: ["?", "f1"] => Help, "help", "this page";
    Farm: ["q"] => Quit, "quit", "quit; with unfinished jobs asks whether the farm shall go on without you";
    Farm: ["T"] => RenderRest, "", "after a test frame: see it, and submit the rest of its job";

    Job: ["esc", "q"] => Back, "back", "give the selection up, else back";
    Job: ["enter", "L"] => Log, "log", "what Blender printed for the frame at the cursor";
    Job: ["v"] => Preview, "image", "the picture of the frame at the cursor";
    Job: ["c"] => Cancel, "cancel", "cancel the selected frames, or the batch in the batch table; asks, and says what is lost";
    Job: ["r"] => Retry, "retry", "render failed and cancelled frames again: of the selection, of the batch, else of the job";
    Job: ["w"] => Why, "why", "why the frame at the cursor, or the batch, waits or failed, and what to do";
    Job: ["f"] => NextFailed, "failed", "to the next failed frame";
    Job: ["V"] => Select, "select", "begin a selection that follows the cursor; again: give it up";
    Job: ["R"] => RenderAgain, "again", "render the selected frames or the batch again, delivered ones too; asks where pictures are replaced";
    Job: ["tab"] => NextPanel, "panel", "frames or batches";
    Job: ["y"] => Copy, "copy", "copy the path of the picture at the cursor, or the folder; in the batch table the batch's id";
    Job: ["p"] => PauseOrResume, "pause", "hold the job, or let it go on";
    Job: ["o"] => OpenFolder, "folder", "open the folder of its pictures, where it is on this machine";
    Job: ["shift-tab"] => PreviousPanel, "", "batches or frames";
    Job: ["u"] => Undo, "", "take the last act back, for 8 seconds";
    Job: ["+", "="] => Raise, "", "raise the priority by 10";
    Job: ["-"] => Lower, "", "lower the priority by 10";
    Job: ["P"] => Verify, "", "read the delivered pictures again: what is damaged or gone is rendered again";
    Job: ["F"] => MakeFilms, "", "make the film of its pictures, an mp4 to look at where the scene asks for none";
    Job: ["X"] => Forget, "", "forget the ended job; its pictures stay; asks";
    Job: ["C"] => CancelJob, "", "cancel the whole job; asks";
    Job: ["h", "left"] => Left, "", "to the left in the map";
    Job: ["l", "right"] => Right, "", "to the right in the map";
    Job: ["1"] => ShowFrames, "", "the map of frames";
    Job: ["2"] => ShowBatches, "", "the batches";
    Job: [":"] => Palette, "cmd", "find an action, a job, a node or a batch by a few letters";
    Job: ["?", "f1"] => Help, "help", "help";

    Node: ["esc", "q"] => Back, "back", "back";
    Node: ["enter"] => Open, "job", "the job of the selected batch";
    Node: ["d"] => Drain, "drain", "drain it: it finishes its frame and gets nothing new; again: undrain";
    Node: ["D"] => DrainNow, "drain now", "drain it now: its frame is stopped and rendered elsewhere; asks";
    Node: ["w"] => Why, "why", "why it renders nothing, or what it renders and why";
    Node: ["l", "L"] => Log, "log", "what Blender printed for the frame it renders, or rendered last";
    Node: ["v"] => Preview, "image", "the newest picture of it";
    Node: ["y"] => Copy, "copy", "copy its address to the terminal's clipboard";
    Node: ["u"] => Undo, "", "take the last act back, for 8 seconds";
    Node: [":"] => Palette, "cmd", "find an action, a job, a node or a batch by a few letters";
    Node: ["?", "f1"] => Help, "help", "help";

    Why: ["esc", "q", "w", "enter"] => Back, "back", "back";
    Why: [":"] => Palette, "cmd", "find an action, a job, a node or a batch by a few letters";
    Why: ["?", "f1"] => Help, "help", "help";

    Details: ["esc", "q", "enter"] => Back, "back", "back";
    Details: [":"] => Palette, "cmd", "find an action, a job, a node or a batch by a few letters";
    Details: ["?", "f1"] => Help, "help", "this page";
    Details: ["u"] => Undo, "", "take the last act back, for 8 seconds";
    Details: ["y"] => Copy, "", "copy the page to the terminal's clipboard";

    Log: ["esc", "q"] => Back, "back", "let the selection or the search go, else back";
    Log: ["/"] => Search, "search", "search; small letters find capitals too";
    Log: ["n"] => NextMatch, "next", "next match";
    Log: ["N"] => PreviousMatch, "", "previous match";
    Log: ["e"] => NextError, "next error", "next line that tells of an error";
    Log: ["F"] => Follow, "follow", "stay at the end while Blender prints";
    Log: ["w"] => Wrap, "wrap", "wrap long lines, or cut them";
    Log: ["L"] => NextLevel, "level", "show all lines, all without progress, warnings and errors, errors only";
    Log: ["v"] => Mark, "select", "begin or end a selection of lines";
    Log: ["y"] => Copy, "copy", "copy the marked lines to the terminal's clipboard";
    Log: ["s"] => Save, "save", "save the whole log as a file in the folder where farmhand was started";
    Log: ["]"] => NextFrame, "", "the next frame's log";
    Log: ["["] => PreviousFrame, "", "the previous frame's log";
    Log: ["i"] => Preview, "", "the frame's picture";
    Log: ["l", "right"] => ShiftRight, "", "see more of long lines' ends";
    Log: ["h", "left"] => ShiftLeft, "", "back to their beginnings";
    Log: ["?", "f1"] => Help, "help", "help";

    LogSearch: ["enter"] => Send, "find", "go to the first match";
    LogSearch: ["esc"] => Back, "back", "search nothing";

    Preview: ["esc", "q"] => Back, "back", "back";
    Preview: ["l", "right", "j", "down"] => NextFrame, "next", "next frame";
    Preview: ["h", "left", "k", "up"] => PreviousFrame, "previous", "previous frame";
    Preview: ["space"] => Play, "play", "play the delivered frames, round and round; again: stop";
    Preview: ["c"] => Compare, "compare", "keep this picture on the left beside others, also of other jobs; again: let it go";
    Preview: ["+", "="] => Brighter, "brighter", "half a stop brighter; for EXR and HDR";
    Preview: ["-"] => Darker, "darker", "half a stop darker";
    Preview: ["L"] => NextLayer, "layer", "next layer or pass of an EXR file";
    Preview: ["f", "tab"] => NextFile, "file", "next file of the frame: other views, file outputs";
    Preview: ["o"] => OpenOutside, "open", "open the file in the desktop's own program";
    Preview: ["y"] => Copy, "copy path", "copy the file's path to the terminal's clipboard";
    Preview: ["i"] => Log, "", "what Blender printed for the frame";
    Preview: ["g g", "home"] => Top, "", "first frame";
    Preview: ["G", "end"] => Bottom, "", "last frame";
    Preview: ["?", "f1"] => Help, "help", "help";

    Help: ["esc", "q", "?", "enter"] => Back, "close", "close";
    Help: ["/"] => Search, "search", "show only lines with these words";

    Dialog: ["tab", "right"] => Next, "next", "next button";
    Dialog: ["shift-tab", "left"] => Previous, "", "previous button";
    Dialog: ["enter"] => Choose, "choose", "press the marked button";
    Dialog: ["esc"] => Back, "back", "change nothing";

    Prompt: ["enter"] => Send, "ok", "take it";
    Prompt: ["esc"] => Back, "back", "change nothing";

    Form: ["tab"] => NextField, "complete, next field", "complete the path; else the next field";
    Form: ["shift-tab"] => PreviousField, "", "previous field";
    Form: ["down"] => Down, "", "next completion, else the next field";
    Form: ["up"] => Up, "", "previous completion, else the previous field";
    Form: ["enter"] => Choose, "take", "take the marked completion; else the next field";
    Form: ["ctrl-s"] => Send, "submit", "submit the job";
    Form: ["ctrl-t"] => TestFrame, "test frame", "submit one frame from the middle; T on the farm screen then lets the rest follow";
    Form: ["esc"] => Back, "back, keeps the draft", "back; the draft stays";
    Form: ["f1"] => Help, "help", "help";

    Search: ["enter"] => Send, "keep", "keep the filter";
    Search: ["esc"] => Back, "show all", "show all rows again";
    Search: ["up"] => Up, "", "row above";
    Search: ["down"] => Down, "", "row below";

    Palette: ["enter"] => Choose, "do it", "do the marked one";
    Palette: ["up", "ctrl-p", "shift-tab"] => Up, "", "mark the one above";
    Palette: ["down", "ctrl-n", "tab"] => Down, "next", "mark the one below";
    Palette: ["esc"] => Back, "close", "do nothing";

    // Under every list and page of text.
    Moving: ["j", "down"] => Down, "", "down";
    Moving: ["k", "up"] => Up, "", "up";
    Moving: ["pgdn", "ctrl-f", "ctrl-d", "space"] => PageDown, "", "a page down";
    Moving: ["pgup", "ctrl-b", "ctrl-u"] => PageUp, "", "a page up";
    Moving: ["g g", "home"] => Top, "", "first line";
    Moving: ["G", "end"] => Bottom, "", "last line";

    Moving: ["m"] => Mouse, "", "leave the mouse to the terminal, to select text; again: take it back";

    Everywhere: ["ctrl-c"] => QuitNow, "", "quit at once; the farm goes on where jobs are unfinished";
    Everywhere: ["ctrl-z"] => Suspend, "", "back to the shell; `fg` returns";
};
