use std::fs;

use serde::Serialize;

/// The machine and program of a measurement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Processor model as reported by the system.
    pub cpu: String,
    /// Number of threads that can run at the same time.
    pub cores: usize,
    /// Architecture and operating system.
    pub system: String,
    /// Instruction sets detected at run time that the kernels use.
    pub features: Vec<String>,
    /// Version of this program.
    pub version: String,
    /// Whether it is a release build; results of a debug build are meaningless.
    pub release: bool,
}

impl Machine {
    /// Describes this machine and this program.
    pub fn this() -> Self {
        Self {
            cpu: cpu().unwrap_or_else(|| "unknown processor".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            system: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            features: features().into_iter().map(str::to_owned).collect(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            release: !cfg!(debug_assertions),
        }
    }

    /// Formats the description as one line.
    pub fn line(&self) -> String {
        let Self { cpu, cores, system, features, version, release } = self;
        let build = if *release { "release build" } else { "DEBUG BUILD, figures are meaningless" };
        let features = features.join(" ");
        format!("{cpu}, {cores} cores, {system}, {features}; expe {version}, {build}")
    }
}

/// Returns the processor model on Linux, with the family and model numbers that identify its generation.
fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let field = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned())
    };
    let name = field("model name").or_else(|| field("Processor")).or_else(|| field("CPU part"))?;
    Some(match (field("cpu family"), field("model")) {
        (Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
        _ => name,
    })
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn features() -> Vec<&'static str> {
    let mut found = Vec::new();
    // A macro, because `is_x86_feature_detected` accepts only literals.
    macro_rules! detect {
        ($($name:tt)*) => {
            $(if std::arch::is_x86_feature_detected!($name) {
                found.push($name);
            })*
        };
    }
    detect!("avx2" "fma" "f16c" "avx512f" "avx512bw" "avx512vl" "avx512vnni" "avx512bf16");
    found
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
fn features() -> Vec<&'static str> {
    Vec::new()
}

/// Returns the peak memory of this process in bytes (`VmHWM`), or `None` on systems other than Linux.
pub fn peak_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_includes_memory_in_use() {
        let Some(before) = peak_memory() else { return };
        let used = vec![1_u8; 64 << 20];
        assert!(std::hint::black_box(&used).iter().all(|byte| *byte == 1));
        // Other memory may have been freed in the meantime, but these 64 MiB are resident.
        let after = peak_memory().unwrap();
        assert!(after >= before && after >= 64 << 20, "{before} {after}");
    }
}
