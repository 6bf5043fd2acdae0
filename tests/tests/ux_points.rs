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
const INPUT: &str = "tests/tests/terminal_input.rs";
const NEWCOMER: &str = "tests/tests/newcomer.rs";
const UX: &str = "tests/tests/ux_points.rs";
const PAGE: &str = "tui/src/app/log/page.rs";
const FILES: &str = "tui/src/view/snapshots_of_files.rs";
const SUBMIT: &str = "tui/src/app/submit_tests.rs";
const FORM: &str = "tui/src/app/form.rs";
const PAINTER: &str = "tui/src/pictures/terminal.rs";
const GALLERY: &str = "tui/src/pictures/gallery.rs";
const DASHBOARD: &str = "tests/tests/dashboard.rs";

#[rustfmt::skip] // A table is read by its columns.
const POINTS: &[Point] = &[
    Point(1, "every primary action is shown at 100x30 and 80x24", &[(SNAPSHOTS, "farm_100x30"), (SNAPSHOTS, "farm_80x24"), (SNAPSHOTS, "submit_form_100x30"), (TERMINALS, "four_sizes_in_three_colour_modes"), (JOB_LOOKS, "job_100x30"), (JOB_LOOKS, "job_80x24"), (NODE_LOOKS, "node_100x30"), (NODE_LOOKS, "node_80x24"), (FILES, "log_at_every_size"), (FILES, "preview_at_every_size")]),
    Point(2, "columns drop by a priority list, nothing is cut in the middle of a number, no size panics", &[(TERMINALS, "no_number_is_cut_at_any_width"), (TABLE, "columns_go_by_rank_and_the_hungry_ones_take_what_is_left"), (SNAPSHOTS, "no_size_and_no_row_of_keys_makes_it_panic")]),
    Point(3, "under 60x16 one screen says the size, and growing brings everything back", &[(TERMINALS, "a_screen_that_is_too_small_says_so_in_24_columns"), (TERMINAL, "a_screen_that_was_too_small_comes_back_as_it_was")]),
    Point(4, "a storm of fifty sizes is drawn once for a frame of the screen, ends in a whole one, and encodes pictures once", &[(TERMINAL, "fifty_changes_of_size_in_a_second_end_in_a_whole_screen"), (GALLERY, "a_storm_of_fifty_resizes_encodes_once")]),
    Point(5, "wide letters are cut by their width", &[(TEXT, "wide_letters_are_never_cut_in_half"), (TEXT, "fitted_text_has_the_width_that_was_asked_for"), (SNAPSHOTS, "farm_80x24")]),
    Point(6, "the footer shows what works now, from the table that dispatches", &[(UPDATE, "every_footer_hint_of_the_farm_screen_does_something"), (KEYS, "what_footer_and_help_show_is_what_the_keys_do"), (FINDING, "every_bound_key_is_in_the_help_of_its_screen")]),
    Point(7, "help of this screen, with a search", &[(FINDING, "help_is_about_the_screen_and_can_be_searched"), (SNAPSHOTS, "help_searched_80x24")]),
    Point(8, "a disabled action stays visible and says why", &[(UPDATE, "a_key_that_can_do_nothing_says_why"), (FINDING, "what_cannot_be_done_now_is_in_the_palette_and_says_why")]),
    Point(9, "the palette finds all actions and targets, with their keys", &[(FINDING, "the_palette_finds_jobs_nodes_batches_and_actions_by_a_few_letters"), (FINDING, "what_the_palette_runs_is_what_the_key_does"), (SNAPSHOTS, "palette_80x24")]),
    Point(10, "keys that may follow are listed after 300 ms", &[(FINDING, "keys_that_may_follow_are_listed_after_300_ms"), (SNAPSHOTS, "keys_that_may_follow_80x24")]),
    Point(11, "empty screens teach", &[(SNAPSHOTS, "farm_without_anything_100x30"), (NEWCOMER, "from_no_nodes_to_a_mended_scene_and_its_picture_by_keyboard_alone")]),
    Point(12, "all ways to move work in every list", &[(UPDATE, "all_ways_to_move_work_in_every_list"), (GRID, "moving_goes_by_cells_and_rows_and_stays_inside")]),
    Point(13, "esc never quits, q from the top, ctrl-c from anywhere", &[(UPDATE, "esc_never_quits"), (KEYS, "ctrl_c_is_a_way_out_everywhere"), (TERMINAL, "esc_never_quits_q_does_from_the_top_and_ctrl_c_from_anywhere")]),
    Point(14, "the selection is kept by id", &[(UPDATE, "the_selection_stays_on_its_job_when_jobs_come_and_go"), (FINDING, "a_key_goes_through_the_orders_and_keeps_the_selection")]),
    Point(15, "a screen that is returned to is as it was", &[(FINDING, "a_screen_that_is_returned_to_is_as_it_was_left")]),
    Point(16, "the mouse clicks rows, titles and hints; m releases it", &[(MOUSE, "a_click_selects_a_row_a_second_one_opens_it_and_a_title_has_the_focus"), (MOUSE, "a_click_on_a_hint_does_what_its_key_does"), (MOUSE, "the_wheel_scrolls_what_is_under_it"), (MOUSE, "m_leaves_the_mouse_to_the_terminal_and_takes_it_back"), (INPUT, "hints_and_rows_are_clicked_and_m_lets_the_mouse_go")]),
    Point(17, "live filters with fields, within a frame for 10,000 rows", &[(FINDING, "a_filter_applies_with_every_letter_and_esc_shows_all_again"), (ROWS, "jobs_are_filtered_by_status_user_and_the_nodes_that_render_them"), (ROWS, "ten_thousand_jobs_are_filtered_between_two_frames_of_the_screen"), (SNAPSHOTS, "filtered_100x30")]),
    Point(18, "order and direction are shown, a key goes through them", &[(FINDING, "a_key_goes_through_the_orders_and_keeps_the_selection"), (ROWS, "jobs_are_sorted_by_each_column_both_ways"), (SNAPSHOTS, "filtered_100x30")]),
    Point(19, "what is shown can be held while the farm goes on", &[(FINDING, "what_is_held_stays_while_the_farm_goes_on_behind_it"), (SNAPSHOTS, "filtered_100x30")]),
    Point(20, "questions name the thing and what is lost; more than one job is typed", &[(UPDATE, "cancelling_a_job_asks_and_names_the_frames_that_are_lost"), (SAFETY, "cancelling_many_jobs_wants_the_words_typed"), (SNAPSHOTS, "cancel_dialog_80x24"), (SNAPSHOTS, "typed_answer_80x24")]),
    Point(21, "nothing is lost without a question; --readonly changes nothing", &[(SAFETY, "nothing_is_lost_without_a_question"), (SAFETY, "read_only_changes_nothing_whatever_is_pressed"), (SAFETY, "every_action_that_changes_the_farm_is_off_in_read_only"), (SNAPSHOTS, "read_only_80x24")]),
    Point(22, "undo for eight seconds", &[(SAFETY, "an_act_can_be_taken_back_for_eight_seconds"), (TERMINAL, "what_was_done_to_a_job_is_taken_back_by_u"), (SNAPSHOTS, "an_act_that_can_be_undone_80x24")]),
    Point(23, "a row tells what is done to it and how it went", &[(SAFETY, "a_row_says_what_is_done_to_it_and_how_it_went"), (UPDATE, "an_act_that_fails_is_explained_and_the_farm_read_again")]),
    Point(24, "the same key twice, or on a row that is out of date, asks for the same", &[(UPDATE, "the_same_key_twice_acts_once_until_the_farm_has_answered"), (SAFETY, "an_act_names_its_thing_and_what_it_shall_become"), (SAFETY, "an_act_on_a_row_that_has_changed_meanwhile_is_the_one_that_was_asked_for")]),
    Point(25, "quitting asks what becomes of the farm", &[(UPDATE, "quitting_with_unfinished_jobs_asks_and_leaves_the_farm_running_by_default"), (SNAPSHOTS, "quit_dialog_80x24"), (DASHBOARD, "the_dashboard_shows_a_job_and_hands_it_over_when_it_quits")]),
    Point(26, "states are told apart without colours", &[(SNAPSHOTS, "states_are_told_apart_without_colours"), (TERMINALS, "without_colours_nothing_is_coloured_and_the_same_is_said")]),
    Point(27, "NO_COLOR, dumb, 16, 256 and all colours, ASCII, themes", &[(LOOK, "the_environment_turns_colours_and_signs_off"), (TERMINALS, "a_terminal_of_256_or_16_colours_gets_no_other"), (TERMINALS, "ascii_has_no_other_signs_but_those_of_peoples_own_names"), (TERMINALS, "every_theme_says_each_state_in_a_colour_of_its_own"), (THEME, "words_are_readable_on_the_backgrounds_of_dark_and_light"), (THEME, "colours_of_okabe_and_ito_differ_for_every_kind_of_sight")]),
    Point(28, "a cell is a frame, then a round number of them with the worst shown; the legend sums to the total", &[(GRID, "a_cell_is_one_frame_until_the_rows_are_full_then_a_round_number"), (GRID, "the_legends_counts_sum_to_all_frames_at_every_width"), (HEAT_MAP, "of_several_frames_in_a_cell_the_worst_is_shown"), (HEAT_MAP, "a_map_of_a_million_frames_is_drawn_within_five_milliseconds"), (JOB_LOOKS, "the_job_screen_reads_without_colours")]),
    Point(29, "old numbers are dimmed and say how old they are", &[(SNAPSHOTS, "connection_lost_100x30"), (UPDATE, "a_lost_connection_counts_down_and_keeps_what_was_known"), (UPDATE, "a_silent_node_says_for_how_long"), (NEWCOMER, "a_connected_dashboard_outlives_a_restart_of_the_orchestrator")]),
    Point(30, "no expected end before three frames, never a negative one", &[(UPDATE, "an_end_is_expected_only_where_the_farm_expects_one"), (JOB_LOOKS, "no_expected_end_is_shown_before_three_frames_are_measured")]),
    Point(31, "a failure is a cause in one line, with the line that shows it and what to do", &[(CAUSE, "the_line_that_tells_the_cause_is_the_evidence_whatever_came_after_it"), (CAUSE, "every_kind_has_a_cause_that_says_what_to_do"), (SNAPSHOTS, "causes_of_every_kind_of_failure"), (SNAPSHOTS, "why_80x24"), (JOB, "w_asks_about_the_frame_at_the_cursor_or_the_batch")]),
    Point(32, "from a key to the screen on a big and busy farm", &[("tui/src/rehearsal.rs", "a_big_and_busy_farm_is_drawn_after_every_key"), ("tui/src/rehearsal.rs", "two_thousand_events_are_put_in_order_once_for_one_drawing"), ("tests/src/bin/farmhand-bench-dashboard.rs", "main")]),
    Point(33, "an idle dashboard writes its clock only, and needs next to nothing", &[(TERMINAL, "an_idle_dashboard_writes_the_clock_and_needs_next_to_nothing")]),
    Point(34, "nothing that hangs elsewhere holds the screen up", &[(TERMINAL, "a_node_that_never_answers_holds_nothing_up"), (UX, "what_updates_and_draws_waits_for_nothing")]),
    Point(35, "lists and logs are bounded and say what they dropped", &[(UPDATE, "the_diary_is_bounded_and_says_what_it_dropped"), (PAGE, "ten_thousand_lines_are_kept_and_the_rest_is_counted"), (FILES, "a_log_says_how_many_lines_it_dropped")]),
    Point(36, "y copies through OSC 52, s saves, pasted text goes to the focused field only", &[("tui/src/dashboard/terminal.rs", "the_clipboard_is_filled_by_osc_52_and_through_tmux_by_its_wrapping"), (UPDATE, "y_copies_what_the_screen_is_about"), (FILES, "marked_lines_are_copied_whole_and_the_log_is_saved_whole"), ("tui/src/dashboard/files.rs", "a_saved_log_never_overwrites_another_one"), (UPDATE, "pasted_text_is_typed_and_never_taken_for_keys"), (INPUT, "copied_text_is_sent_to_the_terminal_and_pasted_text_to_the_focused_field_only")]),
    Point(37, "pictures: the terminal is asked once, work is done elsewhere, older requests are dropped, o opens the file", &[(PAINTER, "a_terminal_is_asked_for_half_a_second_and_tmux_only_where_a_person_names_a_way"), (PAINTER, "each_way_can_be_named_and_letters_ask_nothing"), (INPUT, "a_terminal_is_asked_for_pictures_once_and_tmux_never"), (INPUT, "the_first_key_is_not_lost_where_a_terminal_never_answers"), (GALLERY, "older_requests_are_dropped_for_newer_ones_and_slow_ones_are_given_up"), (FILES, "a_late_answer_of_an_older_question_changes_nothing"), (FILES, "a_picture_of_another_machine_is_not_opened_here_but_its_path_can_be_had"), (FILES, "preview_at_every_size")]),
    Point(38, "a form that reads the file, explains mistakes, outlives a crash and says what the job will be", &[(UPDATE, "the_form_reads_the_file_and_submits_what_was_typed"), (SUBMIT, "fields_can_be_typed_in_while_the_file_is_read"), (FORM, "errors_are_in_words_and_an_untouched_form_has_none"), (FORM, "whatever_is_typed_is_a_job_or_an_error_in_words"), (FORM, "a_draft_gives_the_same_job_after_a_crash"), (INPUT, "a_draft_outlives_a_dashboard_that_is_killed"), (SUBMIT, "a_dry_run_counts_with_what_an_earlier_job_of_the_scene_took")]),
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
    assert_eq!(POINTS.len(), 40, "every point has a row");
    assert!(missing.is_empty(), "{missing:#?}");
}

/// Words that stand for waiting, or for what can take long.
const WAITING: [&str; 8] = [
    ".await",
    "async ",
    "std::fs",
    "fs::File",
    "process::Command",
    "Mutex",
    "RwLock",
    "thread::",
];

#[test]
fn what_updates_and_draws_waits_for_nothing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let root = root.expect("the tests lie in the repository").join("tui/src");
    let mut folders = vec![root.join("app"), root.join("view")];
    let (mut read, mut found) = (0, Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the dashboard is there").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            if path.extension().is_none_or(|ending| ending != "rs") || stem.ends_with("tests") {
                continue;
            }
            read += 1;
            let source = fs::read_to_string(&path).unwrap_or_default();
            // What tests do is theirs.
            let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            found.extend(
                code.lines()
                    .filter(|line| !line.trim_start().starts_with("//"))
                    .filter(|line| WAITING.iter().any(|word| line.contains(word)))
                    .map(|line| format!("{}: {}", path.display(), line.trim())),
            );
        }
    }
    assert!(read > 60, "{read} files");
    assert!(found.is_empty(), "{found:#?}");
}
