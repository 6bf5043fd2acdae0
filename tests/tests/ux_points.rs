//! What the dashboard must feel like, in forty points, and the test that shows each. A row that names a test
//! which does not exist fails.

use std::fs;
use std::path::Path;

/// A point, and the tests that show it: file below the root of the repository, and name.
struct Point(u32, &'static str, &'static [(&'static str, &'static str)]);

const UPDATE: &str = "tui/src/app/update_tests.rs";
const FINDING: &str = "tui/src/app/finding_tests.rs";
const SAFETY: &str = "tui/src/app/safety_tests.rs";
const KEYS: &str = "tui/src/app/keys/mod.rs";
const ROWS: &str = "tui/src/app/rows.rs";
const MOUSE: &str = "tui/src/app/mouse.rs";
const SETTINGS: &str = "tui/src/settings.rs";
const SNAPSHOTS: &str = "tui/src/view/snapshots.rs";
const TERMINALS: &str = "tui/src/view/terminals.rs";
const THEME: &str = "tui/src/view/theme.rs";
const LOOK: &str = "tui/src/view/look.rs";
const TABLE: &str = "tui/src/view/table.rs";
const TEXT: &str = "tui/src/view/text.rs";
const JOB: &str = "tui/src/app/job/tests.rs";
const JOB_LOOKS: &str = "tui/src/view/job/snapshots.rs";
const GRID: &str = "tui/src/app/job/grid.rs";
const HEAT_MAP: &str = "tui/src/view/job/heat_map.rs";
const NODE_LOOKS: &str = "tui/src/view/node/snapshots.rs";
const CAUSE: &str = "core/protocol/src/cause.rs";
const TERMINAL: &str = "tests/tests/terminal.rs";
const DASHBOARD: &str = "tests/tests/dashboard.rs";

#[rustfmt::skip] // A table is read by its columns.
const POINTS: &[Point] = &[
    Point(1, "every primary action is shown at 100x30 and 80x24", &[(SNAPSHOTS, "farm_100x30"), (SNAPSHOTS, "farm_80x24"), (SNAPSHOTS, "submit_form_100x30"), (TERMINALS, "four_sizes_in_three_colour_modes"), (JOB_LOOKS, "job_100x30"), (JOB_LOOKS, "job_80x24"), (NODE_LOOKS, "node_100x30"), (NODE_LOOKS, "node_80x24")]),
    Point(2, "columns drop by a priority list, nothing is cut in the middle of a number, no size panics", &[(TERMINALS, "no_number_is_cut_at_any_width"), (TABLE, "columns_go_by_rank_and_the_hungry_ones_take_what_is_left"), (SNAPSHOTS, "no_size_and_no_row_of_keys_makes_it_panic")]),
    Point(3, "under 60x16 one screen says the size, and growing brings everything back", &[(TERMINALS, "a_screen_that_is_too_small_says_so_in_24_columns"), (TERMINAL, "a_screen_that_was_too_small_comes_back_as_it_was")]),
    Point(4, "a storm of fifty sizes ends in a whole screen", &[(TERMINAL, "fifty_changes_of_size_in_a_second_end_in_a_whole_screen")]),
    Point(5, "wide letters are cut by their width", &[(TEXT, "wide_letters_are_never_cut_in_half"), (TEXT, "fitted_text_has_the_width_that_was_asked_for"), (SNAPSHOTS, "farm_80x24")]),
    Point(6, "the footer shows what works now, from the table that dispatches", &[(UPDATE, "every_footer_hint_of_the_farm_screen_does_something"), (KEYS, "what_footer_and_help_show_is_what_the_keys_do"), (FINDING, "every_bound_key_is_in_the_help_of_its_screen")]),
    Point(7, "help of this screen, with a search", &[(FINDING, "help_is_about_the_screen_and_can_be_searched"), (SNAPSHOTS, "help_searched_80x24")]),
    Point(8, "a disabled action stays visible and says why", &[(UPDATE, "a_key_that_can_do_nothing_says_why"), (FINDING, "what_cannot_be_done_now_is_in_the_palette_and_says_why")]),
    Point(9, "the palette finds all actions and targets, with their keys", &[(FINDING, "the_palette_finds_jobs_nodes_batches_and_actions_by_a_few_letters"), (FINDING, "what_the_palette_runs_is_what_the_key_does"), (SNAPSHOTS, "palette_80x24")]),
    Point(10, "keys that may follow are listed after 300 ms", &[(FINDING, "keys_that_may_follow_are_listed_after_300_ms"), (SNAPSHOTS, "keys_that_may_follow_80x24")]),
    Point(11, "empty screens teach", &[(SNAPSHOTS, "farm_without_anything_100x30")]),
    Point(12, "all ways to move work in every list", &[(UPDATE, "all_ways_to_move_work_in_every_list"), (GRID, "moving_goes_by_cells_and_rows_and_stays_inside")]),
    Point(13, "esc never quits, q from the top, ctrl-c from anywhere", &[(UPDATE, "esc_never_quits"), (KEYS, "ctrl_c_is_a_way_out_everywhere"), (TERMINAL, "esc_never_quits_q_does_from_the_top_and_ctrl_c_from_anywhere")]),
    Point(14, "the selection is kept by id", &[(UPDATE, "the_selection_stays_on_its_job_when_jobs_come_and_go"), (FINDING, "a_key_goes_through_the_orders_and_keeps_the_selection")]),
    Point(15, "a screen that is returned to is as it was", &[(FINDING, "a_screen_that_is_returned_to_is_as_it_was_left")]),
    Point(16, "the mouse clicks rows, titles and hints; m releases it", &[(MOUSE, "a_click_selects_a_row_a_second_one_opens_it_and_a_title_has_the_focus"), (MOUSE, "a_click_on_a_hint_does_what_its_key_does"), (MOUSE, "the_wheel_scrolls_what_is_under_it"), (MOUSE, "m_leaves_the_mouse_to_the_terminal_and_takes_it_back")]),
    Point(17, "live filters with fields, within a frame for 10,000 rows", &[(FINDING, "a_filter_applies_with_every_letter_and_esc_shows_all_again"), (ROWS, "jobs_are_filtered_by_status_user_and_the_nodes_that_render_them"), (ROWS, "ten_thousand_jobs_are_filtered_between_two_frames_of_the_screen"), (SNAPSHOTS, "filtered_100x30")]),
    Point(18, "order and direction are shown, a key goes through them", &[(FINDING, "a_key_goes_through_the_orders_and_keeps_the_selection"), (ROWS, "jobs_are_sorted_by_each_column_both_ways"), (SNAPSHOTS, "filtered_100x30")]),
    Point(19, "what is shown can be held while the farm goes on", &[(FINDING, "what_is_held_stays_while_the_farm_goes_on_behind_it"), (SNAPSHOTS, "filtered_100x30")]),
    Point(20, "questions name the thing and what is lost; more than one job is typed", &[(UPDATE, "cancelling_a_job_asks_and_names_the_frames_that_are_lost"), (SAFETY, "cancelling_many_jobs_wants_the_words_typed"), (SNAPSHOTS, "cancel_dialog_80x24"), (SNAPSHOTS, "typed_answer_80x24")]),
    Point(21, "nothing is lost without a question; --readonly changes nothing", &[(SAFETY, "nothing_is_lost_without_a_question"), (SAFETY, "read_only_changes_nothing_whatever_is_pressed"), (SAFETY, "every_action_that_changes_the_farm_is_off_in_read_only"), (SNAPSHOTS, "read_only_80x24")]),
    Point(22, "undo for eight seconds", &[(SAFETY, "an_act_can_be_taken_back_for_eight_seconds"), (TERMINAL, "what_was_done_to_a_job_is_taken_back_by_u"), (SNAPSHOTS, "an_act_that_can_be_undone_80x24")]),
    Point(23, "a row tells what is done to it and how it went", &[(SAFETY, "a_row_says_what_is_done_to_it_and_how_it_went"), (UPDATE, "an_act_that_fails_is_explained_and_the_farm_read_again")]),
    Point(24, "the same key twice asks for the same", &[(UPDATE, "the_same_key_twice_acts_once_until_the_farm_has_answered"), (SAFETY, "an_act_names_its_thing_and_what_it_shall_become")]),
    Point(25, "quitting asks what becomes of the farm", &[(UPDATE, "quitting_with_unfinished_jobs_asks_and_leaves_the_farm_running_by_default"), (SNAPSHOTS, "quit_dialog_80x24"), (DASHBOARD, "the_dashboard_shows_a_job_and_hands_it_over_when_it_quits")]),
    Point(26, "states are told apart without colours", &[(SNAPSHOTS, "states_are_told_apart_without_colours"), (TERMINALS, "without_colours_nothing_is_coloured_and_the_same_is_said")]),
    Point(27, "NO_COLOR, dumb, 16, 256 and all colours, ASCII, themes", &[(LOOK, "the_environment_turns_colours_and_signs_off"), (TERMINALS, "a_terminal_of_256_or_16_colours_gets_no_other"), (TERMINALS, "ascii_has_no_other_signs_but_those_of_peoples_own_names"), (TERMINALS, "every_theme_says_each_state_in_a_colour_of_its_own"), (THEME, "words_are_readable_on_the_backgrounds_of_dark_and_light"), (THEME, "colours_of_okabe_and_ito_differ_for_every_kind_of_sight")]),
    Point(28, "a cell is a frame, then a round number of them with the worst shown; the legend sums to the total", &[(GRID, "a_cell_is_one_frame_until_the_rows_are_full_then_a_round_number"), (GRID, "the_legends_counts_sum_to_all_frames_at_every_width"), (HEAT_MAP, "of_several_frames_in_a_cell_the_worst_is_shown"), (HEAT_MAP, "a_map_of_a_million_frames_is_drawn_within_five_milliseconds"), (JOB_LOOKS, "the_job_screen_reads_without_colours")]),
    Point(29, "old numbers are dimmed and say how old they are", &[(SNAPSHOTS, "connection_lost_100x30"), (UPDATE, "a_lost_connection_counts_down_and_keeps_what_was_known"), (UPDATE, "a_silent_node_says_for_how_long")]),
    Point(30, "no expected end before three frames, never a negative one", &[(UPDATE, "an_end_is_expected_only_where_the_farm_expects_one"), (JOB_LOOKS, "no_expected_end_is_shown_before_three_frames_are_measured")]),
    Point(31, "a failure is a cause in one line, with the line that shows it and what to do", &[(CAUSE, "the_line_that_tells_the_cause_is_the_evidence_whatever_came_after_it"), (CAUSE, "every_kind_has_a_cause_that_says_what_to_do"), (SNAPSHOTS, "causes_of_every_kind_of_failure"), (SNAPSHOTS, "why_80x24"), (JOB, "w_asks_about_the_frame_at_the_cursor_or_the_batch")]),
    Point(32, "from a key to the screen on a big and busy farm", &[("tests/src/bin/farmhand-bench-dashboard.rs", "main")]),
    Point(33, "an idle dashboard writes its clock only", &[(TERMINAL, "an_idle_dashboard_writes_the_clock_and_needs_next_to_nothing")]),
    Point(34, "nothing that hangs elsewhere holds the screen up", &[(TERMINAL, "a_node_that_never_answers_holds_nothing_up")]),
    Point(35, "lists are bounded and say what they dropped", &[(UPDATE, "the_diary_is_bounded_and_says_what_it_dropped")]),
    Point(38, "a form that reads the file and explains mistakes", &[(UPDATE, "the_form_reads_the_file_and_submits_what_was_typed"), ("tui/src/app/form.rs", "errors_are_in_words_and_an_untouched_form_has_none")]),
    Point(39, "settings in TOML; mistakes are named and harm nothing else", &[(SETTINGS, "what_is_wrong_is_named_with_its_line_and_the_rest_holds"), (SETTINGS, "a_file_that_is_no_toml_names_the_line_and_everything_keeps_its_default"), (TERMINAL, "a_file_of_settings_with_a_mistake_is_named_and_the_dashboard_starts")]),
    Point(40, "the terminal is given back whatever happens", &[(TERMINAL, "sigterm_and_sighup_give_the_terminal_back"), (TERMINAL, "a_window_that_is_closed_on_an_idle_farm_leaves_nothing_behind"), (TERMINAL, "a_panic_gives_the_terminal_back_and_says_where_the_logs_are"), (TERMINAL, "ctrl_z_gives_the_terminal_to_the_shell_and_fg_takes_it_again")]),
];

#[test]
fn every_point_names_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests lie in the repository");
    let mut missing = Vec::new();
    let mut last = 0;
    for Point(number, says, tests) in POINTS {
        assert!(*number > last && *number <= 40, "point {number} is out of order");
        last = *number;
        assert!(!tests.is_empty(), "{number}. {says}: nothing shows it");
        for (file, name) in *tests {
            let source = fs::read_to_string(root.join(file)).unwrap_or_default();
            if !source.contains(&format!("fn {name}(")) {
                missing.push(format!("{number}. {says}: no {name} in {file}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
