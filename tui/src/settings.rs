//! The dashboard's configuration: keys, theme, columns and layout from a TOML file. What is wrong in it is named
//! with its line, and only that entry keeps its default.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::app::{Action, Context, Keymap, Shares, Table};
use crate::view::{Theme, column_titles};

/// Everything that the file may say.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) keys: Keymap,
    pub(crate) theme: Theme,
    pub(crate) ascii: bool,
    pub(crate) mouse: bool,
    /// The terminal rings when a job has ended or a node is lost.
    pub(crate) bell: bool,
    /// Columns of a table in their order, where they are named.
    pub(crate) columns: Vec<(Table, Vec<String>)>,
    pub(crate) shares: Shares,
    /// What is wrong in the file, a line each.
    pub(crate) troubles: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keys: Keymap::default(),
            theme: Theme::default(),
            ascii: false,
            mouse: true,
            bell: true,
            columns: Vec::new(),
            shares: Shares::default(),
            troubles: Vec::new(),
        }
    }
}

/// Where the configuration is: as named, else `farmhand/config.toml` in the folder for configurations.
pub(crate) fn path(named: Option<PathBuf>) -> Option<PathBuf> {
    named.or_else(|| {
        let folders = etcetera::choose_base_strategy().ok()?;
        Some(folders.config_dir().join("farmhand").join("config.toml"))
    })
}

/// Reads a file. One that is not there says nothing.
pub(crate) fn read(path: &Path) -> Settings {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, &name),
        Err(error) if error.kind() == ErrorKind::NotFound => Settings::default(),
        Err(error) => Settings {
            troubles: vec![format!("{name}: {error}")],
            ..Settings::default()
        },
    }
}

/// Reads a text; `name` is the file's.
pub(crate) fn parse(text: &str, name: &str) -> Settings {
    let mut reader = Reader {
        text,
        name,
        settings: Settings::default(),
    };
    match DeTable::parse(text) {
        Ok(table) => {
            for (key, value) in table.get_ref() {
                reader.entry(key, value);
            }
        }
        Err(error) => {
            let place = error.span().map_or(0, |span| span.start);
            reader.trouble(place, error.message().lines().next().unwrap_or_default());
        }
    }
    reader.settings
}

type Key<'i> = Spanned<std::borrow::Cow<'i, str>>;
type Value<'i> = Spanned<DeValue<'i>>;

struct Reader<'t> {
    text: &'t str,
    name: &'t str,
    settings: Settings,
}

impl Reader<'_> {
    fn trouble(&mut self, place: usize, words: &str) {
        let before = self.text.get(..place).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        self.settings
            .troubles
            .push(format!("{} line {line}: {words}", self.name));
    }

    fn entry(&mut self, key: &Key<'_>, value: &Value<'_>) {
        let place = value.span().start;
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("theme", DeValue::String(name)) => {
                if let Some(theme) = Theme::named(name) {
                    self.settings.theme = theme;
                } else {
                    let names: Vec<&str> = Theme::names().collect();
                    let words = format!(
                        "theme: there is no theme {name:?}; there are {}",
                        names.join(", ")
                    );
                    self.trouble(place, &words);
                }
            }
            // A theme of one's own.
            ("theme", DeValue::Table(_)) => match read_theme(self.text) {
                Ok(theme) => self.settings.theme = theme,
                Err(words) => self.trouble(place, &format!("theme: {words}")),
            },
            ("ascii", DeValue::Boolean(ascii)) => self.settings.ascii = *ascii,
            ("mouse", DeValue::Boolean(mouse)) => self.settings.mouse = *mouse,
            ("bell", DeValue::Boolean(bell)) => self.settings.bell = *bell,
            ("keys", DeValue::Table(contexts)) => {
                for (context, actions) in contexts {
                    self.keys_of(context, actions);
                }
            }
            ("columns", DeValue::Table(tables)) => {
                for (table, names) in tables {
                    self.columns_of(table, names);
                }
            }
            ("layout", DeValue::Table(shares)) => {
                for (key, value) in shares {
                    self.share(key, value);
                }
            }
            (known @ ("theme" | "ascii" | "mouse" | "bell" | "keys" | "columns" | "layout"), other) => {
                let words = format!("{known}: a {} is not what belongs here", other.type_str());
                self.trouble(place, &words);
            }
            (other, _) => {
                let words = format!("{other}: there is theme, ascii, mouse, bell, keys, columns and layout");
                self.trouble(key.span().start, &words);
            }
        }
    }

    fn keys_of(&mut self, context: &Key<'_>, actions: &Value<'_>) {
        let name = context.get_ref();
        let (Some(known), DeValue::Table(actions)) = (named::<Context>(name), actions.get_ref()) else {
            let words = format!(
                "keys.{name}: there is no such screen; farm, details, form and others are in the help"
            );
            self.trouble(context.span().start, &words);
            return;
        };
        for (action, keys) in actions {
            let path = format!("keys.{name}.{}", action.get_ref());
            let Some(known_action) = named::<Action>(action.get_ref()) else {
                self.trouble(action.span().start, &format!("{path}: there is no such action"));
                continue;
            };
            let mut sequences = Vec::new();
            for key in strings(keys) {
                match key.map(str::parse) {
                    Some(Ok(sequence)) => sequences.push(sequence),
                    Some(Err(error)) => self.trouble(keys.span().start, &format!("{path}: {error}")),
                    None => {
                        let words = format!("{path}: keys are written [\"x\", \"ctrl-k\", \"g x\"]");
                        self.trouble(keys.span().start, &words);
                    }
                }
            }
            if sequences.is_empty() {
                continue;
            }
            if let Err(words) = self.settings.keys.rebind(known, known_action, &sequences) {
                self.trouble(keys.span().start, &format!("{path}: {words}"));
            }
        }
    }

    fn columns_of(&mut self, table: &Key<'_>, names: &Value<'_>) {
        let path = format!("columns.{}", table.get_ref());
        let Some(known) = named::<Table>(table.get_ref()) else {
            let words = format!("{path}: there are the tables jobs, nodes and batches");
            self.trouble(table.span().start, &words);
            return;
        };
        let titles = column_titles(known);
        let mut chosen = Vec::new();
        for name in strings(names) {
            match name {
                Some(name) if titles.contains(&name.to_uppercase().as_str()) => {
                    chosen.push(name.to_uppercase());
                }
                name => {
                    let words = format!(
                        "{path}: there is no column {:?}; there are {}",
                        name.unwrap_or_default(),
                        titles.join(", ").to_lowercase()
                    );
                    self.trouble(names.span().start, &words);
                }
            }
        }
        if !chosen.is_empty() {
            self.settings.columns.push((known, chosen));
        }
    }

    fn share(&mut self, key: &Key<'_>, value: &Value<'_>) {
        let percent = value
            .get_ref()
            .as_integer()
            .and_then(|number| number.as_str().parse::<u16>().ok())
            .filter(|percent| (10..=60).contains(percent));
        let path = format!("layout.{}", key.get_ref());
        match (key.get_ref().as_ref(), percent) {
            ("nodes", Some(percent)) => self.settings.shares.nodes = percent,
            ("lower", Some(percent)) => self.settings.shares.lower = percent,
            ("nodes" | "lower", None) => {
                self.trouble(
                    value.span().start,
                    &format!("{path}: a share is 10 to 60 percent of the height"),
                );
            }
            _ => self.trouble(key.span().start, &format!("{path}: there are nodes and lower")),
        }
    }
}

/// A value that is known by its name in the file.
fn named<T: serde::de::DeserializeOwned>(name: &str) -> Option<T> {
    serde_json::from_value(name.into()).ok()
}

/// The texts of a list, or the one text; nothing in the place of what is none.
fn strings<'v>(value: &'v Value<'_>) -> Vec<Option<&'v str>> {
    match value.get_ref() {
        DeValue::Array(items) => items.iter().map(|item| item.get_ref().as_str()).collect(),
        other => vec![other.as_str()],
    }
}

/// Reads the table of colours of a whole file.
fn read_theme(text: &str) -> Result<Theme, String> {
    #[derive(serde::Deserialize)]
    struct Whole {
        theme: Theme,
    }
    toml::from_str::<Whole>(text)
        .map(|whole| whole.theme)
        .map_err(|error| error.message().lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::*;
    use crate::app::{Chord, Found};

    fn pressed(settings: &Settings, context: Context, letter: char) -> Found {
        let chord = Chord::from(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE));
        settings.keys.find(context, &[chord])
    }

    #[test]
    fn a_good_file_changes_what_it_names_and_nothing_else() {
        let settings = parse(
            "theme = \"okabe-ito\"\nascii = true\nmouse = false\nbell = false\n[keys.farm]\ncancel = [\"X\", \"ctrl-k\"]\n\
             retry = \"c\"\n[columns]\njobs = [\"id\", \"state\", \"name\"]\n[layout]\nnodes = 50\n",
            "config.toml",
        );
        assert_eq!(settings.troubles, Vec::<String>::new());
        assert_eq!(Some(settings.theme), Theme::named("okabe-ito"));
        assert!(settings.ascii && !settings.mouse && !settings.bell);
        assert_eq!(
            pressed(&settings, Context::Farm, 'X'),
            Found::Action(Action::Cancel)
        );
        assert_eq!(
            pressed(&settings, Context::Farm, 'c'),
            Found::Action(Action::Retry)
        );
        assert_eq!(
            pressed(&settings, Context::Farm, 'n'),
            Found::Action(Action::Submit)
        );
        assert_eq!(settings.columns[0].1, ["ID", "STATE", "NAME"]);
        assert_eq!(
            (settings.shares.nodes, settings.shares.lower),
            (50, Shares::default().lower)
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_the_rest_holds() {
        let settings = parse(
            "theme = \"neon\"\nascii = 3\ncolour = 1\n\n[keys.farm]\ncancle = [\"x\"]\nretry = [\"hyper-r\"]\n\
             cancel = [\"X\"]\n[keys.space]\nup = [\"w\"]\n[columns]\njobs = [\"id\", \"weight\"]\n[layout]\n\
             nodes = 99\n",
            "/c/config.toml",
        );
        let expected = [
            ("line 1", "neon"),
            ("line 2", "ascii"),
            ("line 3", "colour"),
            ("line 6", "keys.farm.cancle"),
            ("line 7", "hyper-r"),
            ("line 9", "keys.space"),
            ("line 12", "weight"),
            ("line 14", "layout.nodes"),
        ];
        for (line, words) in expected {
            let found = settings
                .troubles
                .iter()
                .any(|one| one.starts_with("/c/config.toml ") && one.contains(line) && one.contains(words));
            assert!(found, "{line} {words}: {:#?}", settings.troubles);
        }
        assert_eq!(
            settings.troubles.len(),
            expected.len(),
            "{:#?}",
            settings.troubles
        );
        assert_eq!(
            pressed(&settings, Context::Farm, 'X'),
            Found::Action(Action::Cancel)
        );
        assert_eq!(settings.columns[0].1, ["ID"]);
    }

    #[test]
    fn a_file_that_is_no_toml_names_the_line_and_everything_keeps_its_default() {
        let settings = parse("theme = \"dark\"\n\n[keys\n", "config.toml");
        assert!(
            settings.troubles[0].contains("config.toml line 3"),
            "{:?}",
            settings.troubles
        );
        assert_eq!(settings.theme, Theme::default());
    }

    #[test]
    fn the_way_out_cannot_be_rebound() {
        let settings = parse("[keys.farm]\ncancel = [\"ctrl-c\"]\n", "config.toml");
        assert!(settings.troubles[0].contains("ctrl-c"), "{:?}", settings.troubles);
    }

    #[test]
    fn a_theme_of_ones_own_is_read_and_its_mistakes_are_named() {
        let good = "[theme]\ntext = \"default\"\nbackground = \"default\"\nfaint = \"8\"\naccent = \"#010203\"\n\
                    good = \"green\"\nactive = \"cyan\"\nwait = \"blue\"\nwarn = \"yellow\"\nbad = \"light-red\"\n";
        assert_eq!(parse(good, "c").troubles, Vec::<String>::new());
        let bad = good.replace("green", "greenish");
        assert!(parse(&bad, "c").troubles[0].contains("greenish"));
    }

    #[test]
    fn a_file_that_is_not_there_says_nothing() {
        assert!(read(Path::new("/no/such/config.toml")).troubles.is_empty());
    }
}
