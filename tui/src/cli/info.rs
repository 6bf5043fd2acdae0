//! `info`: versions, folders, the farm, and where the token comes from.

use std::path::PathBuf;

use color_eyre::eyre::Result;
use farmhand_protocol::PROTOCOL;
use serde::Serialize;

use super::args::Common;
use super::print;
use crate::place::{self, Place};
use crate::settings;

#[derive(Debug, Serialize)]
struct Info {
    version: &'static str,
    protocol: String,
    data: String,
    output: String,
    logs: String,
    token: String,
    config: String,
    config_troubles: Vec<String>,
    farm: String,
    farm_state: String,
}

pub(crate) async fn info(common: &Common, config: Option<PathBuf>, as_json: bool) -> Result<()> {
    let config = settings::path(config);
    let config_troubles = config.as_deref().map(settings::read).unwrap_or_default().troubles;
    let place = Place::new(common.data.clone())?;
    let farm = place::farm(common)?;
    let farm_state = match farm.farm().await {
        Ok(view) => format!(
            "version {}, {} of {} nodes ready",
            view.version, view.nodes_ready, view.nodes
        ),
        Err(error) => error.to_string(),
    };
    let info = Info {
        version: env!("CARGO_PKG_VERSION"),
        protocol: PROTOCOL.to_string(),
        data: place.data().display().to_string(),
        output: place.output().display().to_string(),
        logs: place.logs().display().to_string(),
        token: token_source(common, &place),
        config: match config {
            Some(path) if path.exists() => path.display().to_string(),
            Some(path) => format!("{} (not there: everything has its default)", path.display()),
            None => "none: your home folder is not known".to_owned(),
        },
        config_troubles,
        farm: farm.address().to_string(),
        farm_state,
    };
    if as_json {
        return Ok(print::json(&info)?);
    }
    let troubles = info.config_troubles.join("\n          ");
    let rows = [
        ("version", info.version),
        ("protocol", &info.protocol),
        ("data", &info.data),
        ("output", &info.output),
        ("logs", &info.logs),
        ("token", &info.token),
        ("config", &info.config),
        ("", &troubles),
        ("farm", &info.farm),
        ("", &info.farm_state),
    ];
    let lines: Vec<String> = rows
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(label, value)| format!("{label:<10}{value}\n"))
        .collect();
    Ok(print::text(&lines.concat())?)
}

fn token_source(common: &Common, place: &Place) -> String {
    let own = place.token_file();
    match &common.token_file {
        Some(file) => file.display().to_string(),
        None if std::env::var_os("FARMHAND_TOKEN").is_some() => "the variable FARMHAND_TOKEN".to_owned(),
        None if common.farm.is_none() && own.exists() => own.display().to_string(),
        None => "none; `farmhand token` makes one".to_owned(),
    }
}
