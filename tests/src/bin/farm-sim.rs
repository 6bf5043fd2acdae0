//! The scheduler at sizes that no test machine has: the real engine in virtual time. The same arguments print
//! the same bytes on standard output; timings and memory go to standard error.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use farmhand_tests::figures::own_memory;
use farmhand_tests::simulation::{Cpu, Faults, JobPlan, Outcome, Plan, Run};

/// Simulates farms.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    mode: Mode,
}

#[derive(Subcommand)]
enum Mode {
    /// One job without faults: the makespan over the lower bound.
    Makespan(Size),
    /// The same while 5 % of the nodes leave.
    Loss(Size),
    /// 10,000 nodes and 1,000,000 frames: what the engine costs.
    Big {
        /// Nodes.
        #[arg(long, default_value_t = 10_000)]
        nodes: usize,
        /// Frames.
        #[arg(long, default_value_t = 1_000_000)]
        frames: u32,
    },
    /// Small farms where everything goes wrong: no frame is lost or delivered twice, and every job ends.
    Hunt {
        /// How many seeds.
        #[arg(long, default_value_t = 10_000)]
        seeds: u64,
        /// The first of them. A seed that failed is replayed by `--first SEED --seeds 1`.
        #[arg(long, default_value_t = 1)]
        first: u64,
    },
    /// A job of one frame beside one of 2,000: it gets the next slot that finishes its frame.
    Fair {
        /// How many seeds.
        #[arg(long, default_value_t = 20)]
        seeds: u64,
    },
}

#[derive(Parser)]
struct Size {
    /// How many seeds.
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// Nodes.
    #[arg(long, default_value_t = 100)]
    nodes: usize,
    /// Frames.
    #[arg(long, default_value_t = 10_000)]
    frames: u32,
}

fn main() -> ExitCode {
    let done = match Args::parse().mode {
        Mode::Makespan(size) => makespan("makespan", &size, Faults::None),
        Mode::Loss(size) => makespan("loss", &size, Faults::Loss(0.05)),
        Mode::Big { nodes, frames } => big(nodes, frames),
        Mode::Hunt { seeds, first } => hunt(first, seeds),
        Mode::Fair { seeds } => fair(seeds),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            println!("{wrong}");
            ExitCode::FAILURE
        }
    }
}

fn makespan(name: &str, size: &Size, faults: Faults) -> Result<(), String> {
    println!("seed   makespan   lower bound   ratio   idle node-s   batches   copies   ETA held   ETA off");
    let (mut sum, mut most) = (0.0, 0.0_f64);
    for seed in 1..=size.seeds {
        let mut plan = Plan::new(seed, size.nodes, size.frames);
        plan.faults = faults;
        let (outcome, cpu) = run(plan)?;
        let ratio = outcome.makespan / outcome.bound;
        println!(
            "{seed:4} {:8.1} s {:11.1} s {ratio:7.3} {:13.1} {:9} {:8} {:>7}/{} {:8.2}",
            outcome.makespan,
            outcome.bound,
            outcome.idle,
            outcome.batches,
            outcome.copies,
            outcome.etas.held,
            outcome.etas.made,
            outcome.etas.off,
        );
        tell_cost(&outcome, cpu);
        sum += ratio;
        most = most.max(ratio);
    }
    #[expect(clippy::cast_precision_loss, reason = "seeds are few")]
    let mean = sum / size.seeds.max(1) as f64;
    println!(
        "{{\"sim\":\"{name}\",\"nodes\":{},\"frames\":{},\"seeds\":{},\"mean\":{mean:.4},\"max\":{most:.4}}}",
        size.nodes, size.frames, size.seeds
    );
    Ok(())
}

fn big(nodes: usize, frames: u32) -> Result<(), String> {
    let before = own_memory();
    let (outcome, cpu) = run(Plan::new(1, nodes, frames))?;
    let grown = own_memory().saturating_sub(before);
    println!(
        "{{\"sim\":\"big\",\"nodes\":{nodes},\"frames\":{frames},\"delivered\":{},\"ratio\":{:.4},\
         \"batches\":{},\"frame_events\":{}}}",
        outcome.delivered,
        outcome.makespan / outcome.bound,
        outcome.batches,
        outcome.frame_events
    );
    tell_cost(&outcome, cpu);
    eprintln!(
        "memory grown: {} bytes a frame, simulated agents included",
        grown / u64::from(frames.max(1))
    );
    Ok(())
}

fn hunt(first: u64, seeds: u64) -> Result<(), String> {
    let (mut delivered, mut failed) = (0_u64, 0_u64);
    for seed in first..first + seeds {
        let mut plan = Plan::new(
            seed,
            2 + usize::try_from(seed % 7).unwrap_or(0),
            20 + u32::try_from(seed % 41).unwrap_or(0),
        );
        plan.faults = Faults::All;
        plan.jobs.push(JobPlan { frames: 5, at: 60.0 });
        let (outcome, _) = Run::new(plan)
            .finish()
            .map_err(|wrong| format!("seed {seed}: {wrong}"))?;
        delivered += u64::from(outcome.delivered);
        failed += u64::from(outcome.failed);
    }
    println!(
        "{{\"sim\":\"hunt\",\"first\":{first},\"seeds\":{seeds},\"delivered\":{delivered},\"failed\":{failed}}}"
    );
    Ok(())
}

fn fair(seeds: u64) -> Result<(), String> {
    println!(
        "seed   slot of   takes its frame after   it starts (scene loaded)   frames that ended before where it \
         waited, on its way   elsewhere"
    );
    let (mut on_its_way, mut passed_over) = (0, 0);
    for seed in 1..=seeds {
        let mut plan = Plan::new(seed, 20, 2000);
        plan.jobs.push(JobPlan { frames: 1, at: 120.0 });
        let (outcome, _) = run(plan)?;
        let (submitted, started, _) = outcome.jobs[1];
        let second = outcome.second;
        let node = second
            .node
            .map_or_else(String::new, |node| format!("node-{node}"));
        println!(
            "{seed:4} {node:>9} {:21.1} s {:24.1} s {:>48} {:>11}",
            second.waited,
            started - submitted,
            second.on_its_way,
            second.passed_over
        );
        on_its_way += second.on_its_way;
        passed_over += second.passed_over;
    }
    println!(
        "{{\"sim\":\"fair\",\"seeds\":{seeds},\"on_its_way\":{on_its_way},\"passed_over\":{passed_over}}}"
    );
    if passed_over > 0 {
        return Err("slots ended a frame before and were not asked".to_owned());
    }
    Ok(())
}

fn run(plan: Plan) -> Result<(Outcome, Cpu), String> {
    let seed = plan.seed;
    Run::new(plan)
        .finish()
        .map_err(|wrong| format!("seed {seed}: {wrong}"))
}

fn tell_cost(outcome: &Outcome, cpu: Cpu) {
    let events = u32::try_from(outcome.frame_events.max(1)).unwrap_or(u32::MAX);
    eprintln!(
        "engine: {:.1} s of CPU, {:.1} us a frame event, slowest step {:.1} ms",
        cpu.all.as_secs_f64(),
        (cpu.all / events).as_secs_f64() * 1e6,
        cpu.slowest.as_secs_f64() * 1e3
    );
}
