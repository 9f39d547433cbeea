//! Flags that control how long to measure, which program measures, and where to write the results.

use std::io::{self, BufRead};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use expe::bench::{BenchError, Candidate, Plan, Report, Timer, Times, alternate, peak_memory};

use crate::cli::CliError;
use crate::cli::output::{is_stdout, print, write_json};

/// Longest measurement that can be requested, in seconds.
const LONGEST: f64 = 3600.0;

/// How long to measure, and where to write the results.
#[derive(Debug, clap::Args)]
pub struct MeasureArgs {
    /// Rounds in which every candidate has a turn; results are medians over the rounds.
    #[arg(long, default_value_t = 15, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Approximate total time of all rounds; a turn is at least one unit of work.
    #[arg(long, default_value_t = 10.0, value_name = "S", value_parser = seconds)]
    seconds: f64,
    /// Also write the results as JSON (`-` for standard output, instead of the table).
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Lets another program control the measurement, so that this program can take turns with its rivals.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// Measure on request: for every line `N` on standard input, perform N units of work and print the
    /// milliseconds of each; for a line `peak`, print the peak memory so far in bytes.
    #[arg(long, conflicts_with_all = ["rounds", "seconds", "json"])]
    serve: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.0..=LONGEST).contains(&seconds) => Ok(seconds),
        _ => Err(format!("not a number of seconds from 0 to {LONGEST}")),
    }
}

impl MeasureArgs {
    /// Returns the requested plan.
    pub fn plan(&self) -> Plan {
        let time = Duration::from_secs_f64(self.seconds);
        Plan { rounds: self.rounds.into(), time }
    }

    /// Prints the report as a table or as JSON.
    ///
    /// # Errors
    /// [`CliError::Write`] if the output cannot be written.
    pub fn show(&self, report: &Report) -> Result<(), CliError> {
        if let Some(path) = &self.json {
            write_json(path, report)?;
            if is_stdout(path) {
                return Ok(());
            }
        }
        print(report.table().trim_end())
    }
}

impl ServeArgs {
    /// Returns the timer for the candidates.
    pub fn timer<'a>(&self, stop: &'a AtomicBool) -> RequestedTimer<'a> {
        RequestedTimer { serve: self.serve, stop }
    }
}

/// Times candidates in rounds, or as another program requests on standard input.
#[derive(Debug)]
pub struct RequestedTimer<'a> {
    serve: bool,
    stop: &'a AtomicBool,
}

impl Timer for RequestedTimer<'_> {
    type Error = CliError;

    fn time(
        &self,
        mut candidates: Vec<Box<dyn Candidate + '_>>,
        plan: Plan,
    ) -> Result<Option<Vec<Times>>, CliError> {
        if !self.serve {
            return Ok(Some(alternate(&mut candidates, plan, self.stop)?));
        }
        let mut candidates = candidates.into_iter();
        let (Some(candidate), None) = (candidates.next(), candidates.next()) else {
            return Err(CliError::Serve("--serve takes one candidate, not several".to_owned()));
        };
        serve(candidate, self.stop)?;
        Ok(None)
    }
}

/// Performs the work requested on standard input until it ends.
fn serve(mut candidate: Box<dyn Candidate + '_>, stop: &AtomicBool) -> Result<(), CliError> {
    print("ready")?;
    for line in io::stdin().lock().lines() {
        let source = |source| CliError::Read { path: "standard input".into(), source };
        let line = line.map_err(source)?;
        if line.trim() == "peak" {
            print(&peak_memory().unwrap_or(0).to_string())?;
            continue;
        }
        let units: u32 = line.trim().parse().map_err(|_| {
            CliError::Serve(format!("`{line}` is neither a number of units nor `peak`"))
        })?;
        let mut answer = Vec::new();
        for _ in 0..units {
            if stop.load(Ordering::Relaxed) {
                return Err(BenchError::Interrupted.into());
            }
            answer.push(format!("{:.6}", candidate.run()?.as_secs_f64() * 1e3));
        }
        print(&answer.join(" "))?;
    }
    Ok(())
}
