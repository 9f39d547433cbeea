//! How long to measure, and where the results go.

use std::io::{self, BufRead};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::bench::{BenchError, Candidate, Plan, Report, Times, alternate, peak_memory};
use crate::cli::CliError;
use crate::cli::output::{is_stdout, print, write_json};

/// Longest measurement that can be asked for, in seconds.
const LONGEST: f64 = 3600.0;

/// How long to measure, and where the results go.
#[derive(Debug, clap::Args)]
pub struct MeasureArgs {
    /// Times that each candidate has its turn; what is shown is the median of the rounds.
    #[arg(long, default_value_t = 15, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Time for all rounds together, about; every turn is at least one unit of work.
    #[arg(long, default_value_t = 10.0, value_name = "S", value_parser = seconds)]
    seconds: f64,
    /// Write the results to this file as well (`-`: to standard output, in place of the table).
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Obey another program, which can so let this one take turns with its rivals.
#[derive(Debug, clap::Args)]
pub struct ServeArgs {
    /// Measure nothing by oneself; for every line `N` on standard input do N units of work and print the
    /// milliseconds of each, for a line `peak` the most memory so far in bytes.
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
    /// The plan that was asked for.
    pub fn plan(&self) -> Plan {
        let time = Duration::from_secs_f64(self.seconds);
        Plan { rounds: self.rounds.into(), time }
    }

    /// Time for a measurement of what the machine can do at best: a tenth, at most half a second.
    pub fn aside(&self) -> Duration {
        Duration::from_secs_f64(self.seconds / 10.0).min(Duration::from_millis(500))
    }

    /// Time for a profile: a quarter.
    pub fn profile(&self) -> Duration {
        Duration::from_secs_f64(self.seconds / 4.0)
    }

    /// Print the report, as a table or as JSON.
    ///
    /// # Errors
    /// [`CliError::Write`].
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
    /// Time the candidates, or let another program do so; `None` in the second case.
    ///
    /// # Errors
    /// [`CliError::Bench`]; [`CliError::Serve`] for several candidates or an order that is none.
    pub fn times(
        &self,
        mut candidates: Vec<Box<dyn Candidate + '_>>,
        measure: &MeasureArgs,
        stop: &AtomicBool,
    ) -> Result<Option<Vec<Times>>, CliError> {
        if !self.serve {
            return Ok(Some(alternate(&mut candidates, measure.plan(), stop)?));
        }
        let mut candidates = candidates.into_iter();
        let (Some(mut candidate), None) = (candidates.next(), candidates.next()) else {
            return Err(CliError::Serve("--serve takes one candidate, not several".to_owned()));
        };
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
        Ok(None)
    }
}
