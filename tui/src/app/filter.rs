//! A filter as it is typed: `intro status:failed node:rtx`; a leading `!` turns it round.

use std::borrow::Cow;

/// What rows of a table must say to be shown. Empty shows all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Filter {
    text: String,
    inverted: bool,
    /// Every one must be found.
    terms: Vec<Term>,
    unknown: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    /// Where to look; everywhere without it.
    field: Option<&'static str>,
    /// In lower case.
    wanted: String,
}

impl Filter {
    /// Reads a filter; `fields` are the names that may stand before a colon.
    pub(crate) fn parse(text: &str, fields: &[&'static str]) -> Self {
        let (inverted, rest) = match text.trim_start().strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let mut unknown = None;
        let terms = rest.split_whitespace().map(|word| {
            let named = word
                .split_once(':')
                .map(|(name, value)| (known(name, fields), name, value));
            match named {
                Some((Some(field), _, value)) => Term {
                    field: Some(field),
                    wanted: value.to_lowercase(),
                },
                Some((None, name, _)) => {
                    unknown = Some(format!("no field {name:?}; there are {}", fields.join(", ")));
                    term_anywhere(word)
                }
                None => term_anywhere(word),
            }
        });
        let terms: Vec<Term> = terms.collect();
        Self {
            text: text.to_owned(),
            inverted,
            terms,
            unknown,
        }
    }

    /// As it was typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it shows every row.
    pub(crate) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// What is wrong with it, in words.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.unknown.as_deref()
    }

    /// Whether it asks for a field.
    pub(crate) fn names(&self, field: &str) -> bool {
        self.terms
            .iter()
            .any(|term| term.field.is_none_or(|one| one == field))
    }

    /// Whether a row is shown; `value` tells its fields.
    pub(crate) fn keeps<'v>(
        &self,
        fields: &[&'static str],
        value: impl Fn(&'static str) -> Cow<'v, str>,
    ) -> bool {
        if self.is_empty() {
            return true;
        }
        let found = |term: &Term| match term.field {
            Some(field) => contains(&value(field), &term.wanted),
            None => fields.iter().any(|field| contains(&value(field), &term.wanted)),
        };
        self.terms.iter().all(found) != self.inverted
    }
}

fn term_anywhere(word: &str) -> Term {
    Term {
        field: None,
        wanted: word.to_lowercase(),
    }
}

fn known(name: &str, fields: &[&'static str]) -> Option<&'static str> {
    let name = if name == "state" { "status" } else { name };
    fields.iter().copied().find(|field| *field == name)
}

/// Whether `text` holds `wanted` (in lower case), in letters of either size.
fn contains(text: &str, wanted: &str) -> bool {
    if text.is_ascii() {
        // Nothing is copied: there may be ten thousand rows.
        let wanted = wanted.as_bytes();
        return wanted.is_empty()
            || text
                .as_bytes()
                .windows(wanted.len())
                .any(|window| window.eq_ignore_ascii_case(wanted));
    }
    text.to_lowercase().contains(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[&str] = &["name", "status"];

    fn keeps(filter: &str, name: &'static str, status: &'static str) -> bool {
        let value = |field| Cow::Borrowed(if field == "name" { name } else { status });
        Filter::parse(filter, FIELDS).keeps(FIELDS, value)
    }

    #[test]
    fn every_word_must_be_found_and_a_field_narrows_where() {
        assert!(keeps("", "intro", "failed"));
        assert!(keeps("INT", "Intro", "failed"));
        assert!(keeps("fail", "intro", "failed"));
        assert!(keeps("int status:fail", "intro", "failed"));
        assert!(keeps("state:fail", "intro", "failed"));
        assert!(!keeps("status:int", "intro", "failed"));
        assert!(!keeps("int done", "intro", "failed"));
        assert!(keeps("群衆", "群衆シーン", "failed"));
    }

    #[test]
    fn an_exclamation_mark_turns_it_round() {
        assert!(!keeps("!status:failed", "intro", "failed"));
        assert!(keeps("!status:failed", "intro", "running"));
        assert!(keeps("!", "intro", "running"), "not yet typed");
    }

    #[test]
    fn a_field_that_does_not_exist_is_named() {
        let filter = Filter::parse("colour:red", FIELDS);
        assert_eq!(
            filter.trouble(),
            Some("no field \"colour\"; there are name, status")
        );
    }
}
