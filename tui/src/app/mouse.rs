//! The mouse: rows, panels and footer hints are clicked, the wheel scrolls. Everything has a key too.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::farm_screen::{focus, select};
use super::update::on_action;
use super::{Action, Command, Context, Model, Panel, Screen, Tone};

/// Rows that one step of the wheel goes.
const WHEEL: usize = 3;

/// Something was done with the mouse.
pub(crate) fn mouse(model: &mut Model, event: MouseEvent) -> Vec<Command> {
    let at = Position::new(event.column, event.row);
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) => click(model, at),
        MouseEventKind::ScrollDown => wheel(model, at, Action::Down),
        MouseEventKind::ScrollUp => wheel(model, at, Action::Up),
        _ => Vec::new(),
    }
}

fn click(model: &mut Model, at: Position) -> Vec<Command> {
    if at.y + 1 == model.size.height {
        return match crate::view::hint_at(model, at.x) {
            Some(action) => {
                let context = model.context();
                on_action(model, context, action)
            }
            None => Vec::new(),
        };
    }
    let Some((panel, area)) = panel_at(model, at) else {
        return Vec::new();
    };
    let was_focused = model.focus == panel;
    focus(model, panel);
    // Its upper border is the panel's tab; under it stands the head line.
    let Some(row) = usize::from(at.y - area.y).checked_sub(2) else {
        return Vec::new();
    };
    if at.y + 1 >= area.bottom() {
        return Vec::new();
    }
    match select(model, panel, row) {
        // A click on what is selected opens it.
        Some(false) if was_focused => on_action(model, Context::Farm, Action::Open),
        Some(_) => super::live::read_selected_job(model),
        None => Vec::new(),
    }
}

fn wheel(model: &mut Model, at: Position, action: Action) -> Vec<Command> {
    if let Some((panel, _)) = panel_at(model, at) {
        focus(model, panel);
    }
    let context = model.context();
    let mut commands = Vec::new();
    for _ in 0..WHEEL {
        commands.extend(on_action(model, context, action));
    }
    commands
}

/// The panel of the farm screen under the pointer; none while something lies over it.
fn panel_at(model: &Model, at: Position) -> Option<(Panel, Rect)> {
    if model.overlay.is_some() || !matches!(model.screen(), Screen::Farm) {
        return None;
    }
    let layout = model.layout()?;
    let panels = [
        (Panel::Jobs, Some(layout.jobs)),
        (Panel::Nodes, Some(layout.nodes)),
        (Panel::Batches, layout.batches),
        (Panel::Events, layout.events),
    ];
    panels
        .into_iter()
        .find_map(|(panel, area)| area.filter(|area| area.contains(at)).map(|area| (panel, area)))
}

/// Takes the mouse, or leaves it to the terminal so that text can be selected.
pub(crate) fn toggle(model: &mut Model) -> Vec<Command> {
    model.mouse = !model.mouse;
    let words = if model.mouse {
        "the mouse clicks rows and hints; m lets it select text"
    } else {
        "the mouse selects text as your terminal does; m takes it back"
    };
    model.say(Tone::Plain, words);
    Vec::new()
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyModifiers;
    use farmhand_protocol::JobId;

    use super::super::fixture::{busy, dialog, press};
    use super::super::{Msg, Overlay, update};
    use super::*;

    fn send(model: &mut Model, kind: MouseEventKind, column: u16, row: u16) -> Vec<Command> {
        let event = MouseEvent {
            kind,
            column,
            row,
            modifiers: KeyModifiers::NONE,
        };
        update(model, Msg::Mouse(event))
    }

    fn left(model: &mut Model, column: u16, row: u16) -> Vec<Command> {
        send(model, MouseEventKind::Down(MouseButton::Left), column, row)
    }

    #[test]
    fn a_click_selects_a_row_a_second_one_opens_it_and_a_title_has_the_focus() {
        let mut model = busy(100, 30);
        let jobs = model.layout().unwrap().jobs;
        left(&mut model, 10, jobs.y + 3);
        assert_eq!(model.jobs.selected(), Some(&JobId(8)));
        assert!(matches!(model.screen(), Screen::Farm));
        let nodes = model.layout().unwrap().nodes;
        left(&mut model, 10, nodes.y);
        assert_eq!(model.focus, Panel::Nodes);
        left(&mut model, 10, jobs.y + 3);
        assert_eq!(model.focus, Panel::Jobs);
        left(&mut model, 10, jobs.y + 3);
        assert!(!matches!(model.screen(), Screen::Farm));
    }

    #[test]
    fn a_click_on_a_hint_does_what_its_key_does() {
        let mut model = busy(100, 30);
        let footer = crate::view::footer_text(&model);
        let column = u16::try_from(footer.find("c cancel").unwrap()).unwrap();
        left(&mut model, column + 3, 29);
        assert!(dialog(&model).title.contains("j7"));
        // Under a question the rows are out of reach.
        let jobs = model.layout().unwrap().jobs;
        left(&mut model, 10, jobs.y + 3);
        assert_eq!(model.jobs.selected(), Some(&JobId(7)));
        assert!(matches!(model.overlay, Some(Overlay::Dialog(_))));
    }

    #[test]
    fn the_wheel_scrolls_what_is_under_it() {
        let mut model = busy(100, 30);
        let nodes = model.layout().unwrap().nodes;
        send(&mut model, MouseEventKind::ScrollDown, 10, nodes.y + 3);
        assert_eq!((model.focus, model.nodes.index()), (Panel::Nodes, 3));
        send(&mut model, MouseEventKind::ScrollUp, 10, nodes.y + 3);
        assert_eq!(model.nodes.index(), 0);
    }

    #[test]
    fn m_leaves_the_mouse_to_the_terminal_and_takes_it_back() {
        let mut model = busy(100, 30);
        press(&mut model, "m");
        assert!(!model.mouse);
        press(&mut model, "m");
        assert!(model.mouse);
    }
}
