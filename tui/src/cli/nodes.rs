//! `nodes`, `drain`, `undrain`: the machines.

use color_eyre::eyre::{Result, eyre};
use farmhand_client::FarmClient;
use farmhand_protocol::NodeId;
use farmhand_protocol::farm::NodeView;

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
        words::node_state(node.state).to_owned(),
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

/// A node by its id, name or address.
pub(crate) async fn find(farm: &FarmClient, text: &str) -> Result<NodeId> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let nodes = farm.nodes().await?;
    let address = text.trim_end_matches('/');
    let mut matching = nodes.iter().filter(|node| {
        node.name == text || node.address == address || node.address.trim_start_matches("http://") == address
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
