//! `serve`: a farm without a dashboard.

use color_eyre::eyre::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};

use super::args::{Common, HostArgs};
use super::print;
use crate::host::{Host, HostPlan};
use crate::place::Place;

pub(crate) async fn serve(common: &Common, args: HostArgs) -> Result<()> {
    let place = Place::new(common.data.clone())?;
    let logs = farmhand_observe::start(&args.logs, &place.logs(), "orchestrator", true)?;
    // Before the start, so that a signal during a long replay is not lost.
    let mut interrupt = signal(SignalKind::interrupt()).wrap_err("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).wrap_err("cannot listen for SIGTERM")?;
    let plan = HostPlan::new(common, &place, args)?;
    let output = plan.output.clone();
    let mut host = Host::start(plan).await?;
    logs.every_line("farm", &host.farm_id().to_string());
    print::text(&format!(
        "farm at {}://{}\noutput below {}\ndata in {}\n",
        host.scheme(),
        host.listening_on(),
        output.display(),
        place.data().display()
    ))?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        error = host.failed() => return Err(error),
    }
    host.stop().await
}
