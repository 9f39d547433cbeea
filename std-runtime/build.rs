//! Builds the parts of the feature `cuda` that are not Rust: the trampolines that are linked in place of NVIDIA's
//! libraries, and the kernels in `src/device/cuda/kernels` as PTX. Does nothing without the feature.
//!
//! Environment variables:
//! - `CUDA_COMPUTE_CAP`: the compute capability to compile for, such as `90`. The default is that of the first
//!   GPU that `nvidia-smi` lists. dfdx chooses the capability of its own kernels in the same way. Newer GPUs run
//!   kernels that were compiled for older ones.
//! - `EXPE_CUDA_CAPABILITIES`: several capabilities to compile this crate's kernels for, such as `75,90`. At run
//!   time the highest one that the GPU supports is used.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "cuda")]
    if let Err(message) = cuda::build() {
        println!("cargo::error={message}");
    }
}

#[cfg(feature = "cuda")]
mod cuda {
    use std::fmt::Write;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::{env, fs};

    const KERNELS: &str = "src/device/cuda/kernels";
    const TRAMPOLINES: &str = "src/ops/bridge/cuda/trampolines.c";

    pub fn build() -> Result<(), String> {
        let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
        trampolines(&out)?;
        kernels(&out)
    }

    /// Compiles the trampolines and tells Cargo how to link them.
    ///
    /// They are linked as a whole archive, before everything that calls them, so that they take precedence over
    /// NVIDIA's own libraries if those are installed. If they are not, the empty archives satisfy the linker.
    fn trampolines(out: &Path) -> Result<(), String> {
        println!("cargo::rerun-if-changed={TRAMPOLINES}");
        cc::Build::new()
            .file(TRAMPOLINES)
            .warnings_into_errors(true)
            .link_lib_modifier("+whole-archive")
            .try_compile("expe_cuda")
            .map_err(|error| format!("the C compiler fails on {TRAMPOLINES}: {error}"))?;
        for library in ["cuda", "cublas", "cublasLt", "nvrtc"] {
            let path = out.join(format!("lib{library}.a"));
            fs::write(&path, "!<arch>\n")
                .map_err(|error| format!("{}: {error}", path.display()))?;
        }
        println!("cargo::rustc-link-search=native={}", out.display());
        Ok(())
    }

    /// Compiles every kernel for every capability and writes `kernels.rs`, which embeds them.
    fn kernels(out: &Path) -> Result<(), String> {
        for name in ["CUDA_COMPUTE_CAP", "EXPE_CUDA_CAPABILITIES", "CUDA_PATH"] {
            println!("cargo::rerun-if-env-changed={name}");
        }
        println!("cargo::rerun-if-changed={KERNELS}");
        let dfdx_capability = dfdx_capability()?;
        let mut capabilities = match env::var("EXPE_CUDA_CAPABILITIES") {
            Ok(list) => list.split(',').map(parse_number).collect::<Result<Vec<_>, _>>()?,
            Err(_) => vec![dfdx_capability],
        };
        capabilities.sort_unstable();
        let lowest = capabilities.first().copied().unwrap_or(dfdx_capability).max(dfdx_capability);
        let mut sources: Vec<PathBuf> = fs::read_dir(KERNELS)
            .map_err(|error| format!("{KERNELS}: {error}"))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "cu"))
            .collect();
        sources.sort();

        let mut jobs = Vec::new();
        for source in &sources {
            let name = source.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
            for capability in &capabilities {
                let ptx = out.join(format!("{name}_{capability}.ptx"));
                let child = Command::new("nvcc")
                    .args(["--ptx", "-O3", "--output-file"])
                    .arg(&ptx)
                    .arg(format!("--gpu-architecture=sm_{capability}"))
                    .arg(source)
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .map_err(no_nvcc)?;
                jobs.push((name, *capability, ptx, child));
            }
        }
        let mut table = String::new();
        for (name, capability, ptx, child) in jobs {
            let done = child.wait_with_output().map_err(no_nvcc)?;
            if !done.status.success() {
                let text = [done.stdout, done.stderr].concat();
                let text = String::from_utf8_lossy(&text).replace('\n', " | ");
                return Err(format!("nvcc fails on {name}.cu for {capability}: {text}"));
            }
            let _ = writeln!(table, "    (\"{name}\", {capability}, include_str!({ptx:?})),");
        }
        let (major, minor) = nvcc_version()?;
        let code = format!(
            "/// Ten times the lowest compute capability that this build runs on.\n\
             pub const CAPABILITY: u32 = {lowest};\n\
             /// The CUDA version that the driver must support to load this build's kernels.\n\
             pub const VERSION: (u32, u32) = ({major}, {minor});\n\
             /// This crate's kernels: file name, compute capability, PTX.\n\
             pub const KERNELS: &[(&str, u32, &str)] = &[\n{table}];\n"
        );
        let path = out.join("kernels.rs");
        fs::write(&path, code).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn no_nvcc(error: std::io::Error) -> String {
        format!(
            "nvcc cannot be started ({error}): add the `bin` folder of the CUDA toolkit to PATH, or, \
             without a toolkit, run `eval \"$(tests/cuda/toolkit)\"` first; see docs/gpu.md"
        )
    }

    fn parse_number(text: &str) -> Result<u32, String> {
        let invalid = |_| format!("`{text}` is not a compute capability; write 90 for 9.0");
        text.trim().parse().map_err(invalid)
    }

    /// Returns ten times the compute capability that dfdx compiles its kernels for.
    fn dfdx_capability() -> Result<u32, String> {
        if let Ok(text) = env::var("CUDA_COMPUTE_CAP") {
            return parse_number(&text);
        }
        let unknown = "the compute capability is unknown: `nvidia-smi` does not report it, and \
                       CUDA_COMPUTE_CAP is not set";
        let query = ["--query-gpu=compute_cap", "--format=csv"];
        let done = Command::new("nvidia-smi").args(query).output().map_err(|_| unknown)?;
        let text = String::from_utf8_lossy(&done.stdout).replace('.', "");
        let found = parse_number(text.lines().nth(1).ok_or(unknown)?)?;
        let supported = output("nvcc", "--list-gpu-code")?;
        let newest =
            supported.lines().filter_map(|line| line.strip_prefix("sm_")?.parse().ok()).max();
        Ok(newest.map_or(found, |newest: u32| found.min(newest)))
    }

    fn nvcc_version() -> Result<(u32, u32), String> {
        let text = output("nvcc", "--version")?;
        let version = text.split("release ").nth(1).and_then(|rest| rest.split(',').next());
        let parts = version.and_then(|version| version.split_once('.'));
        let (major, minor) =
            parts.ok_or_else(|| format!("the version of nvcc is unknown: {text}"))?;
        Ok((parse_number(major)?, parse_number(minor)?))
    }

    fn output(program: &str, argument: &str) -> Result<String, String> {
        let done = Command::new(program).arg(argument).output().map_err(no_nvcc)?;
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }
}
