//! Breaks a farm of this machine for a while, and says whether anything was lost. `make chaos`.
//!
//! ```text
//! farmhand-chaos [--seconds N] [--every-ms N] [--seed N] [--agents N] [--frames N]
//!                [--sabotage lose|double|corrupt|orphan]
//! ```
//!
//! Ends with 0 when nothing was lost, doubled, damaged or left behind, with 1 otherwise. With `--sabotage` one
//! thing is broken on purpose at the end, and it must end with 1.

use std::fmt::Display;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use farmhand_tests::chaos::{Plan, run};

fn main() -> ExitCode {
    let plan = match plan(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Runtime::new().expect("this machine can run threads");
    let report = runtime.block_on(run(plan));
    print!("{report}");
    if report.violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn plan(mut args: impl Iterator<Item = String>) -> Result<Plan, String> {
    let mut plan = Plan {
        lasts: Duration::from_mins(20),
        every: Duration::from_millis(3300),
        seed: fastrand::u64(..1_000_000),
        agents: 4,
        frames: 500,
        sabotage: None,
    };
    while let Some(name) = args.next() {
        let value = args.next().ok_or(format!("{name} needs a value"))?;
        match name.as_str() {
            "--seconds" => plan.lasts = Duration::from_secs(read(&name, &value)?),
            "--every-ms" => plan.every = Duration::from_millis(read(&name, &value)?),
            "--seed" => plan.seed = read(&name, &value)?,
            "--agents" => plan.agents = read::<usize>(&name, &value)?.max(1),
            "--frames" => plan.frames = read::<u32>(&name, &value)?.max(1),
            "--sabotage" => plan.sabotage = Some(read(&name, &value)?),
            _ => return Err(format!("{name} is not known")),
        }
    }
    Ok(plan)
}

fn read<T: FromStr<Err: Display>>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|error| format!("{name} {value}: {error}"))
}
