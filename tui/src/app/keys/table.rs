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
    Farm: ["enter"] => Open, "details", "everything about the selected row: why, errors, the log's end";
    Farm: ["n"] => Submit, "submit", "submit a job";
    Farm: ["c"] => Cancel, "cancel", "cancel the selected batch or job; asks, and says what is lost";
    Farm: ["r"] => Retry, "retry", "render failed and cancelled frames of the selected batch or job again";
    Farm: ["p"] => PauseOrResume, "pause", "hold the selected job, or let it go on";
    Farm: ["a"] => AddNode, "add node", "make a node known by its agent's address";
    Farm: ["d"] => Drain, "", "drain the selected node: it finishes its frame and gets nothing new; again: undrain";
    Farm: ["D"] => DrainNow, "", "drain the selected node now: its frame is stopped and rendered elsewhere; asks";
    Farm: ["tab", "l", "right"] => NextPanel, "panel", "next panel";
    Farm: ["shift-tab", "h", "left"] => PreviousPanel, "", "previous panel";
    Farm: ["1"] => ShowJobs, "", "jobs";
    Farm: ["2"] => ShowNodes, "", "nodes";
    Farm: ["3"] => ShowBatches, "", "batches of the selected job";
    Farm: ["4"] => ShowEvents, "", "events";
    Farm: ["?", "f1"] => Help, "help", "this page";
    Farm: ["q"] => Quit, "quit", "quit; with unfinished jobs asks whether the farm shall go on without you";

    Details: ["esc", "q", "enter"] => Back, "back", "back";
    Details: ["c"] => Cancel, "cancel", "cancel it; asks first";
    Details: ["r"] => Retry, "retry", "render its failed and cancelled frames again";

    Help: ["esc", "q", "?", "enter"] => Back, "close", "close";

    Dialog: ["tab", "right", "l"] => Next, "next", "next button";
    Dialog: ["shift-tab", "left", "h"] => Previous, "", "previous button";
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
    Form: ["esc"] => Back, "back, keeps the draft", "back; the draft stays";
    Form: ["f1"] => Help, "help", "help";

    // Under every list and page of text.
    Moving: ["j", "down"] => Down, "", "down";
    Moving: ["k", "up"] => Up, "", "up";
    Moving: ["pgdn", "ctrl-f", "ctrl-d", "space"] => PageDown, "", "a page down";
    Moving: ["pgup", "ctrl-b", "ctrl-u"] => PageUp, "", "a page up";
    Moving: ["g g", "home"] => Top, "", "first line";
    Moving: ["G", "end"] => Bottom, "", "last line";

    Everywhere: ["ctrl-c"] => QuitNow, "", "quit at once; the farm goes on where jobs are unfinished";
    Everywhere: ["ctrl-z"] => Suspend, "", "back to the shell; `fg` returns";
};
