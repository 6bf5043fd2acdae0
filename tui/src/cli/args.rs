//! What may be written behind `farmhand`.
#![expect(
    clippy::doc_markdown,
    reason = "these comments are help texts, printed as they stand"
)]

mod host;
mod submit;

use std::path::PathBuf;

use crate::view::Theme;
use clap::{Args, Parser, Subcommand};
use farmhand_client::FarmAddress;
use farmhand_protocol::{BatchId, Frame, FrameSet, IdError, JobId};

pub(crate) use host::HostArgs;
pub(crate) use submit::SubmitArgs;

/// A Blender render farm in a terminal.
///
/// Without a verb it opens the dashboard. The dashboard uses the farm that holds the data folder, and starts
/// one in its own process where there is none. Leave it while jobs run and they go on without it.
#[derive(Debug, Parser)]
#[command(name = "farmhand", version, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) host: HostArgs,
    #[command(flatten)]
    pub(crate) dashboard: DashboardArgs,
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

const EXAMPLES: &str = "\
Examples:
  farmhand demo                                   see it work: three local agents, a demo scene
  farmhand-agent --listen 127.0.0.1:3001          on each machine that shall render
  farmhand --node http://127.0.0.1:3001           the dashboard, with that machine
  farmhand submit intro.blend --frames 1-250 --wait
  farmhand submit intro.blend --download ~/frames
  farmhand jobs --json | jq .
  farmhand retry j7 --frames 12,40-44

Every verb explains itself: farmhand submit --help";

/// Which farm, and how to be let in.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// The farm to ask [default: the one that holds the data folder, else http://127.0.0.1:4000].
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "FARMHAND_FARM",
        help_heading = "Farm"
    )]
    pub(crate) farm: Option<FarmAddress>,
    /// Folder of this farm's journal, logs and token [default: farmhand in your data folder].
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "FARMHAND_DATA",
        help_heading = "Farm"
    )]
    pub(crate) data: Option<PathBuf>,
    /// File that holds the farm's token; FARMHAND_TOKEN may hold the token itself.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "FARMHAND_TOKEN_FILE",
        help_heading = "Farm"
    )]
    pub(crate) token_file: Option<PathBuf>,
    /// Certificate of the farm's CA, for a farm that speaks https [default: the one in the data folder].
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "FARMHAND_CA",
        help_heading = "Farm"
    )]
    pub(crate) ca: Option<PathBuf>,
}

/// How the dashboard is shown.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Dashboard")]
pub(crate) struct DashboardArgs {
    /// Open the dashboard of the farm at this address instead of starting one.
    #[arg(long, value_name = "URL")]
    pub(crate) connect: Option<FarmAddress>,
    /// Show only: nothing can be submitted, cancelled, retried or drained.
    #[arg(long)]
    pub(crate) readonly: bool,
    /// Bars, frames and marks in ASCII.
    #[arg(long)]
    pub(crate) ascii: bool,
    /// Colours: terminal, dark, light or okabe-ito.
    #[arg(long, value_name = "NAME", value_parser = theme_named)]
    pub(crate) theme: Option<Theme>,
    /// Keys, theme, columns and layout [default: farmhand/config.toml in your configuration folder].
    #[arg(long, global = true, value_name = "FILE", env = "FARMHAND_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

fn theme_named(name: &str) -> Result<Theme, String> {
    let names: Vec<&str> = Theme::names().collect();
    Theme::named(name).ok_or_else(|| format!("there are {}", names.join(", ")))
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run a farm without a dashboard, until SIGINT or SIGTERM.
    ///
    /// Nodes go on rendering while it is away; when it comes back with the same data it takes up what they did.
    #[command(after_help = "\
Examples:
  farmhand serve --node http://10.0.0.5:3000 --node http://10.0.0.6:3000 --output /renders
  farmhand token && farmhand serve --listen 0.0.0.0:4000      for other machines, with a token")]
    Serve(HostArgs),
    /// Send a scene to the farm and have frames of it rendered.
    ///
    /// Returns once the scene is uploaded and the job is on disk; with --wait or --download when it has ended.
    #[command(after_help = "\
Frames are written 1-250, 1-100x2 (every second), 1,5,9-12 or -10--1.

Examples:
  farmhand submit intro.blend                       the range that the file itself names
  farmhand submit intro.blend --frames 1-60 --wait  a progress bar; exit code 0 when all is rendered
  farmhand submit shots/a.blend --with scripts --download ~/frames
  farmhand submit /mnt/show/a.blend --shared        nothing is sent: the nodes see /mnt/show too

Libraries, textures, caches and all else that the scene names travel with it, wherever they lie.")]
    Submit(SubmitArgs),
    /// Tell what a .blend renders and which files it needs. Starts no Blender and asks no farm.
    ///
    /// Exit code 2 where the file cannot be used: no .blend, cut off, damaged.
    #[command(after_help = "\
Examples:
  farmhand inspect intro.blend
  farmhand inspect intro.blend --json | jq '.scenes[] | [.name, .frame_start, .frame_end]'
  farmhand inspect intro.blend --json | jq -r '.assets[] | select(.exists | not) | .resolved'")]
    Inspect {
        /// The .blend.
        file: PathBuf,
        #[command(flatten)]
        print: PrintArgs,
    },
    /// List jobs, running ones first.
    Jobs(PrintArgs),
    /// Show one job: how it stands, why, failed attempts and the end of the log.
    Job {
        /// Which, as in `farmhand jobs`: j7.
        id: JobId,
        #[command(flatten)]
        print: PrintArgs,
    },
    /// List nodes and what they do.
    Nodes(NodesArgs),
    /// Show one node: what it is, what it renders, and its last batches.
    Node {
        /// The node's name, id or address.
        node: String,
        #[command(flatten)]
        print: PrintArgs,
    },
    /// Cancel a job or a batch. Frames that are delivered stay.
    #[command(
        after_help = "Examples:\n  farmhand cancel j7\n  farmhand cancel j7 --frames 100-250\n  farmhand cancel b12"
    )]
    Cancel(ChooseArgs),
    /// Render frames again: without --frames those that failed or were cancelled.
    #[command(
        after_help = "Examples:\n  farmhand retry j7\n  farmhand retry j7 --frames 12,40-44    delivered ones too\n  farmhand retry b12"
    )]
    Retry(ChooseArgs),
    /// List a job's frames and their files, each with its hash (BLAKE3) and how far it was proved whole.
    Frames {
        /// Which job.
        id: JobId,
        #[command(flatten)]
        print: PrintArgs,
    },
    /// Read a job's delivered files again: what is damaged or gone is rendered again. Exit code 1 when something was.
    Verify {
        /// Which job.
        id: JobId,
        #[command(flatten)]
        print: PrintArgs,
    },
    /// Make an mp4 of a job's pictures for looking, once all are there. Needs ffmpeg where the farm runs.
    Video {
        /// Which job.
        id: JobId,
    },
    /// Hold a job: frames on nodes are finished, no more are handed out.
    Pause {
        /// Which job.
        id: JobId,
    },
    /// Let a held job go on.
    Resume {
        /// Which job.
        id: JobId,
    },
    /// Take ended jobs off the list, with their history. Their pictures stay.
    #[command(after_help = "Examples:\n  farmhand forget j7\n  farmhand forget j1 j2 j3")]
    Forget {
        /// Which jobs; each has ended or was cancelled.
        #[arg(required = true, value_name = "JOB")]
        ids: Vec<JobId>,
    },
    /// Bring a job's finished frames and its films to this machine. Files that are there already are not fetched again.
    Fetch {
        /// Which job.
        id: JobId,
        /// Folder to put them in; made when needed.
        dir: PathBuf,
        /// Go on until the job has ended.
        #[arg(long)]
        wait: bool,
    },
    /// Give a node nothing new: it finishes the frame it renders.
    Drain {
        /// The node's name, id or address.
        node: String,
        /// Stop the frame too; it is rendered elsewhere from its start.
        #[arg(long)]
        now: bool,
    },
    /// Give a drained node work again.
    Undrain {
        /// The node's name, id or address.
        node: String,
    },
    /// Tell why a job, a frame, a batch or a node waits or failed, what shows it, and what to do.
    #[command(
        after_help = "Examples:\n  farmhand why j7\n  farmhand why j7 --frame 142\n  farmhand why b12\n  farmhand why rtx-04"
    )]
    Why {
        /// A job (j7), a batch (b12), or a node's name, id or address.
        what: String,
        /// Only this frame of the job.
        #[arg(long, allow_hyphen_values = true)]
        frame: Option<Frame>,
        #[command(flatten)]
        print: PrintArgs,
    },
    /// Print versions, folders and where the token is.
    Info(PrintArgs),
    /// Tell who changed what: user, address and call, newest last. The user is who they say they are.
    #[command(
        after_help = "Examples:\n  farmhand audit\n  farmhand audit --newest 500 --json | jq '.[] | select(.user == \"ada\")'"
    )]
    Audit {
        /// So many of the newest calls.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=2000))]
        newest: u32,
        #[command(flatten)]
        print: PrintArgs,
    },
    /// Make a token file if there is none, and print where it is.
    ///
    /// Give the file to `farmhand serve` and `farmhand-agent` with --token-file: who has the token may submit,
    /// and a .blend is code.
    Token {
        /// Print the token itself instead.
        #[arg(long)]
        show: bool,
    },
    /// Have the farm speak https: make its CA, and join tokens that let nodes in.
    ///
    /// Where the data folder has a CA, `farmhand serve` speaks https with a certificate that it issues and renews itself.
    /// A node needs one line, its join token: for that it gets its certificate and the farm's token.
    #[command(
        after_help = "Examples:\n  farmhand ca init\n  farmhand ca token | tee join-token\n  farmhand ca token --uses 20 --hours 2\n  farmhand-agent --join https://10.0.0.1:4000 --join-token-file join-token     on the node"
    )]
    Ca {
        /// What to do.
        #[command(subcommand)]
        what: CaVerb,
    },
    /// Print completions for a shell.
    #[command(after_help = "\
Examples:
  farmhand completions bash > ~/.local/share/bash-completion/completions/farmhand
  farmhand completions zsh > ~/.zfunc/_farmhand
  farmhand completions fish > ~/.config/fish/completions/farmhand.fish")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write the pages of all verbs to a folder.
    #[command(
        after_help = "Examples:\n  farmhand man | man -l -\n  farmhand man --dir ~/.local/share/man/man1"
    )]
    Man {
        /// Write farmhand.1, farmhand-serve.1 and so on there.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    /// Check a farm's data folder: the journal, every delivered picture, every scene. Changes nothing.
    ///
    /// May be done while the farm runs. Exit code 0 when all is well, 1 when something was found.
    #[command(after_help = "Examples:\n  farmhand fsck\n  farmhand fsck --data /srv/farmhand --json")]
    Fsck(PrintArgs),
    /// Copy a farm's journal and scenes to a folder, also while it runs; run again, it brings the copy up to date.
    ///
    /// `farmhand serve --data THAT_FOLDER` goes on from there. Pictures and the token are not part of it.
    #[command(after_help = "Examples:\n  farmhand backup /backup/farmhand")]
    Backup {
        /// Folder of the copy; made when needed.
        to: PathBuf,
    },
    /// See a farm work: three agents on this machine, a demo scene, 48 frames.
    #[command(
        after_help = "Without a terminal, or with --headless, it prints progress and exits when all frames are delivered."
    )]
    Demo {
        /// No dashboard: progress lines, exit code 0 when all frames are delivered.
        #[arg(long)]
        headless: bool,
    },
}

/// `farmhand ca`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum CaVerb {
    /// Make the farm's CA in its data folder; from its next start the farm speaks https.
    Init,
    /// Print a join token, which lets a node in.
    Token {
        /// So many nodes may join with it.
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        uses: u32,
        /// It expires after so many hours.
        #[arg(long, value_name = "H", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=8760))]
        hours: u32,
    },
    /// Show the CA's file, fingerprint and end, and the join tokens that still let someone in.
    Show(PrintArgs),
    /// Make a certificate and key for an agent that shall not join by itself: --tls-cert and --tls-key there.
    Issue {
        /// The node's name, for people.
        name: String,
        /// Folder for cert.pem and key.pem.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Withdraw all join tokens. Nodes that have joined stay.
    Withdraw,
}

/// How to print.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PrintArgs {
    /// Print JSON instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `farmhand nodes`.
#[derive(Debug, Clone, Args)]
pub(crate) struct NodesArgs {
    /// Make a node known first, by its agent's address.
    #[arg(long, value_name = "URL")]
    pub(crate) add: Option<String>,
    /// Forget a node first, by its name, id or address.
    #[arg(long, value_name = "NODE")]
    pub(crate) remove: Option<String>,
    #[command(flatten)]
    pub(crate) print: PrintArgs,
}

/// A job or a batch, and frames of it.
#[derive(Debug, Clone, Args)]
pub(crate) struct ChooseArgs {
    /// A job (j7) or a batch (b12).
    pub(crate) id: JobOrBatch,
    /// Only these frames of the job.
    #[arg(long, value_name = "FRAMES", allow_hyphen_values = true)]
    pub(crate) frames: Option<FrameSet>,
}

/// What `cancel` and `retry` are about.
#[derive(Debug, Clone, Copy)]
pub(crate) enum JobOrBatch {
    /// A job.
    Job(JobId),
    /// A batch.
    Batch(BatchId),
}

impl std::str::FromStr for JobOrBatch {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.parse() {
            Ok(batch) => Ok(Self::Batch(batch)),
            Err(_) => text.parse().map(Self::Job),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Cli {
        Cli::try_parse_from(line.split_whitespace()).unwrap()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_leading_minus_of_frames_and_priorities_is_a_value() {
        let cli = parse("farmhand submit a.blend --frames -10--1 --priority -5");
        let Some(Verb::Submit(submit)) = cli.verb else {
            panic!("{cli:?}")
        };
        assert_eq!(submit.frames.unwrap().to_string(), "-10--1");
        assert_eq!(submit.priority, -5);
    }

    #[test]
    fn the_farm_may_be_named_before_or_behind_the_verb() {
        for line in [
            "farmhand --farm 127.0.0.1:9 jobs",
            "farmhand jobs --farm http://127.0.0.1:9/",
        ] {
            assert_eq!(parse(line).common.farm.unwrap().to_string(), "http://127.0.0.1:9");
        }
    }

    #[test]
    fn a_place_to_find_agents_that_is_none_is_refused_in_words() {
        let line = "farmhand serve --discover agent:3000";
        let error = Cli::try_parse_from(line.split_whitespace())
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("--discover") && error.contains("dns://agent:3000"),
            "{error}"
        );
    }

    #[test]
    fn the_dashboard_takes_what_serve_takes() {
        let flags = "--listen 127.0.0.1:0 --node http://a --node http://b --discover dns://agent:3000 --output /r --allow-output /s --limit-seed 10 --limit-api 0";
        for line in [format!("farmhand serve {flags}"), format!("farmhand {flags}")] {
            let cli = parse(&line);
            let host = match cli.verb {
                Some(Verb::Serve(host)) => host,
                _ => cli.host,
            };
            assert_eq!(host.nodes, ["http://a", "http://b"]);
            assert_eq!(host.discover.len(), 1);
            assert_eq!(host.allow_output, [PathBuf::from("/s")]);
            assert_eq!((host.limit_seed, host.limit_api), (Some(10), Some(0)));
        }
    }
}
