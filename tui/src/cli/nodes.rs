//! `nodes`, `node`, `drain`, `undrain`: the machines.

use color_eyre::eyre::{Result, eyre};
use farmhand_client::FarmClient;
use farmhand_protocol::NodeId;
use farmhand_protocol::farm::{BatchView, NodeView};

use super::args::NodesArgs;
use super::print;
use crate::words;

pub(crate) async fn list(farm: &FarmClient, args: &NodesArgs) -> Result<()> {
    if let Some(address) = &args.add {
        farm.add_node(address).await?;
    }
    if let Some(node) = &args.remove {
        farm.remove_node(find(farm, node).await?).await?;
    }
    let nodes = farm.nodes().await?;
    if args.print.json {
        return Ok(print::json(&nodes)?);
    }
    if nodes.is_empty() {
        return Ok(print::text(
            "no nodes; start an agent on a machine and make it known:\n  farmhand-agent --listen \
             127.0.0.1:3001\n  farmhand nodes --add http://127.0.0.1:3001\n",
        )?);
    }
    let rows: Vec<Vec<String>> = nodes.iter().map(row).collect();
    let titles = [
        "NAME", "STATE", "DOING", "BLENDER", "SLOTS", "F/MIN", "ADDRESS", "PROBLEM",
    ];
    Ok(print::text(&print::table(&titles, &[4, 5], &rows))?)
}

fn row(node: &NodeView) -> Vec<String> {
    let doing: Vec<String> = node
        .running
        .iter()
        .map(|slot| {
            let progress = &slot.progress;
            let job = slot
                .job
                .map_or_else(|| "other work".to_owned(), |job| job.to_string());
            match (progress.frame, progress.sample, progress.samples) {
                (Some(frame), Some(sample), Some(samples)) => {
                    format!("{job} frame {frame} {sample}/{samples}")
                }
                (Some(frame), ..) => format!("{job} frame {frame}"),
                (None, ..) => format!("{job} {}", progress.doing),
            }
        })
        .collect();
    let blenders: Vec<String> = node
        .engines
        .iter()
        .map(|engine| engine.version.to_string())
        .collect();
    vec![
        node.name.clone(),
        node.state.word().to_owned(),
        if doing.is_empty() {
            "-".to_owned()
        } else {
            doing.join(", ")
        },
        if blenders.is_empty() {
            "-".to_owned()
        } else {
            blenders.join(" ")
        },
        node.slots.to_string(),
        format!("{:.1}", node.frames_per_minute),
        node.address.clone(),
        node.problem.clone().unwrap_or_default(),
    ]
}

/// Batches of a node that are shown.
const HISTORY: usize = 20;

pub(crate) async fn show(farm: &FarmClient, text: &str, as_json: bool) -> Result<()> {
    let id = find(farm, text).await?;
    let nodes = farm.nodes().await?;
    let node = nodes.into_iter().find(|node| node.id == Some(id));
    let node = node.ok_or_else(|| eyre!("there is no node {text}; `farmhand nodes` lists them"))?;
    let batches = farm.node_batches(id, None, HISTORY).await?.items;
    if as_json {
        return Ok(print::json(
            &serde_json::json!({ "node": node, "batches": batches }),
        )?);
    }
    let mut said = describe(&node);
    if !batches.is_empty() {
        let rows: Vec<Vec<String>> = batches.iter().map(batch_row).collect();
        let titles = ["BATCH", "JOB", "FRAMES", "STATE", "DONE", "S/FRAME", "NOTE"];
        said.push('\n');
        said.push_str(&print::table(&titles, &[4, 5], &rows));
    }
    Ok(print::text(&said)?)
}

fn describe(node: &NodeView) -> String {
    let hardware = &node.hardware;
    let mut lines = vec![
        ("node", format!("{}  {}", node.name, node.state.word())),
        ("address", node.address.clone()),
    ];
    lines.extend(node.problem.clone().map(|problem| ("problem", problem)));
    lines.push((
        "processor",
        format!("{} ({} threads)", hardware.cpu, hardware.threads),
    ));
    lines.push(("memory", words::bytes(hardware.memory_bytes)));
    lines.extend(hardware.gpus.iter().map(|gpu| ("gpu", gpu.clone())));
    for engine in &node.engines {
        let devices: Vec<&str> = engine.devices.iter().map(|device| device.name()).collect();
        let denoiser = if engine.denoiser {
            "denoises"
        } else {
            "no denoiser"
        };
        let said = format!(
            "{}  {}  {denoiser}  {}",
            engine.version,
            devices.join(" "),
            engine.path
        );
        lines.push(("blender", said));
    }
    lines.push(("slots", node.slots.to_string()));
    lines.push(("tags", node.tags.join(" ")));
    lines.push(("agent", node.version.clone()));
    let lines = lines
        .into_iter()
        .map(|(label, value)| format!("{label:<10}{value}\n"));
    lines.collect()
}

fn batch_row(batch: &BatchView) -> Vec<String> {
    vec![
        batch.id.to_string(),
        batch.job.to_string(),
        batch.frames.to_string(),
        words::batch_state(batch.state).to_owned(),
        format!("{}/{}", batch.delivered.len(), batch.frames.len()),
        batch.mean_frame_ms.map_or_else(|| "-".to_owned(), words::seconds),
        batch.note.clone().unwrap_or_default(),
    ]
}

/// A node by its id, name or address.
pub(crate) async fn find(farm: &FarmClient, text: &str) -> Result<NodeId> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let nodes = farm.nodes().await?;
    let address = text.trim_end_matches('/');
    let mut matching = nodes.iter().filter(|node| {
        let place = node.address.split_once("://").map_or("", |(_, place)| place);
        node.name == text || node.address == address || place == address
    });
    match (matching.next(), matching.next()) {
        (Some(node), None) => node.id.ok_or_else(|| {
            eyre!("the node {text} has not been reached yet, so there is nothing to do with it")
        }),
        (Some(_), Some(_)) => Err(eyre!(
            "several nodes are named {text}; use an address of `farmhand nodes`"
        )),
        (None, _) => Err(eyre!("there is no node {text}; `farmhand nodes` lists them")),
    }
}

pub(crate) async fn drain(farm: &FarmClient, node: &str, now: bool) -> Result<()> {
    farm.drain_node(find(farm, node).await?, now, None).await?;
    let how = if now {
        "stopped"
    } else {
        "finishes its frame and gets nothing new"
    };
    Ok(print::text(&format!("{node} {how}\n"))?)
}

pub(crate) async fn undrain(farm: &FarmClient, node: &str) -> Result<()> {
    farm.undrain_node(find(farm, node).await?).await?;
    Ok(print::text(&format!("{node} gets work again\n"))?)
}
