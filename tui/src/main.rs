//! The `farmhand` program.

fn main() -> std::process::ExitCode {
    farmhand::main()
}
