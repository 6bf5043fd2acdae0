//! The node screen as it looks.

use insta::assert_snapshot;

use crate::app::fixture::{lost_node_screen, node_screen};
use crate::view::snapshots::picture;

#[test]
fn node_60x20() {
    assert_snapshot!(picture(&node_screen(60, 20), true));
}

#[test]
fn node_80x24() {
    assert_snapshot!(picture(&node_screen(80, 24), true));
}

#[test]
fn node_100x30() {
    assert_snapshot!(picture(&node_screen(100, 30), true));
}

#[test]
fn node_140x40() {
    assert_snapshot!(picture(&node_screen(140, 40), true));
}

#[test]
fn node_80x24_lost() {
    assert_snapshot!(picture(&lost_node_screen(80, 24), true));
}

#[test]
fn the_node_screen_reads_without_colours() {
    for (width, height) in [(60, 20), (80, 24), (100, 30), (140, 40)] {
        let model = node_screen(width, height);
        assert_eq!(picture(&model, true), picture(&model, false));
    }
}
