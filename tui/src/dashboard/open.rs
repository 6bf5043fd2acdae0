//! Which farm a dashboard is of.

use std::io::IsTerminal;

use color_eyre::eyre::{Result, bail};
use farmhand_client::{FarmAddress, FarmClient};
use farmhand_http::Tokens;
use farmhand_observe::LogArgs;

use super::run::{Session, run};
use crate::app::Stage;
use crate::cli::{Common, DashboardArgs, HostArgs};
use crate::host::{Host, HostPlan};
use crate::place::{self, Place};

/// The dashboard of the farm at an address.
pub(crate) async fn connect(
    common: &Common,
    logs: &LogArgs,
    address: FarmAddress,
    shown: DashboardArgs,
) -> Result<()> {
    need_terminal()?;
    let place = Place::new(common.data.clone())?;
    let _logs = farmhand_observe::start(logs, &place.logs(), "dashboard", false)?;
    let anchor = place::anchor(common, &place)?;
    let farm = place::client(address, place::named_token(common)?, anchor);
    run(Session {
        farm,
        host: None,
        stage: Stage::Connected,
        logs: place.logs(),
        shown,
        draft: place.draft(),
    })
    .await
}

/// The dashboard of the farm that holds the data folder; starts one where there is none.
pub(crate) async fn open(common: &Common, args: HostArgs, shown: DashboardArgs) -> Result<()> {
    need_terminal()?;
    let place = Place::new(common.data.clone())?;
    let logs = farmhand_observe::start(&args.logs, &place.logs(), "dashboard", false)?;
    let token = place::own_token(common, &place)?;
    if let Some(farm) = place.running_orchestrator(token.as_ref()).await {
        return join(farm, &args, &place, shown).await;
    }
    let any_port = args.listen.is_none();
    let mut plan = HostPlan::new(common, &place, args.clone())?;
    plan.any_port = any_port;
    let host = match Host::start(plan.clone()).await {
        Ok(host) => host,
        // Someone else may have been faster.
        Err(error) => match place.running_orchestrator(token.as_ref()).await {
            Some(farm) => return join(farm, &args, &place, shown).await,
            None => return Err(error),
        },
    };
    logs.every_line("farm", &host.farm_id().to_string());
    run(Session {
        farm: client_of(&host, &place, token)?,
        host: Some((host, plan)),
        stage: Stage::Hosting,
        logs: place.logs(),
        shown,
        draft: place.draft(),
    })
    .await
}

/// The dashboard of an orchestrator that runs already; nodes that were named are made known to it.
async fn join(farm: FarmClient, args: &HostArgs, place: &Place, shown: DashboardArgs) -> Result<()> {
    for node in &args.nodes {
        farm.add_node(node).await?;
    }
    run(Session {
        farm,
        host: None,
        stage: Stage::Connected,
        logs: place.logs(),
        shown,
        draft: place.draft(),
    })
    .await
}

/// The dashboard of a demo, which ends with it.
pub(crate) async fn demo(farm: FarmClient, host: Host, plan: HostPlan, place: &Place) -> Result<()> {
    run(Session {
        farm,
        host: Some((host, plan)),
        stage: Stage::Demo,
        logs: place.logs(),
        shown: DashboardArgs::default(),
        draft: place.draft(),
    })
    .await
}

fn client_of(host: &Host, place: &Place, token: Option<Tokens>) -> Result<FarmClient> {
    Ok(place::client(host.address()?, token, place.anchor()?))
}

fn need_terminal() -> Result<()> {
    if std::io::stdout().is_terminal() && std::io::stdin().is_terminal() {
        return Ok(());
    }
    bail!(
        "the dashboard needs a terminal; without one use `farmhand serve` to run a farm and verbs such as \
         `farmhand jobs` to ask it (see `farmhand --help`)"
    )
}
