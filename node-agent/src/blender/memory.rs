//! Memory of a process group, as Linux tells it in `/proc`: a Blender's helpers count as Blender.

use std::fs;

/// Bytes in a page of `/proc/PID/stat`'s counts.
const PAGE: u64 = 4096;

/// Resident memory of all processes of a group together, in bytes; 0 where the system does not tell.
pub(crate) fn of_group(group: u32) -> u64 {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|entry| {
        entry.file_name().to_str()?.parse::<u32>().ok()?;
        fs::read_to_string(entry.path().join("stat")).ok()
    });
    let pages = stats.filter_map(|stat| pages_in(&stat, group));
    pages.fold(0_u64, u64::saturating_add).saturating_mul(PAGE)
}

/// Resident pages of a process that is in this group. Fields 5 and 24 of proc(5)'s stat.
fn pages_in(stat: &str, group: u32) -> Option<u64> {
    // The name stands in brackets and may hold any character, brackets too.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let of: u32 = fields.nth(2)?.parse().ok()?;
    let pages = fields.nth(18)?.parse().ok()?;
    (of == group).then_some(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_members_of_the_group_count() {
        let stat = "41 (a (b) c) S 1 40 40 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 99 1000000 512 184467";
        assert_eq!(pages_in(stat, 40), Some(512));
        assert_eq!(pages_in(stat, 41), None);
        assert_eq!(pages_in("41 (cut", 40), None);
    }

    #[test]
    fn a_living_group_has_memory() {
        let own = u32::try_from(nix::unistd::getpgrp().as_raw()).unwrap();
        assert!(of_group(own) > 1 << 20);
    }
}
