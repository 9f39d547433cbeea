/// Why a device cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// The name is not that of a device.
    #[error("`{0}` is not a device; use auto, cpu, cuda or cuda:N")]
    Name(String),
    /// The program was built without CUDA.
    #[error(
        "this program was built without CUDA; build it with `--features cuda` (std-runtime/docs/gpu.md \
         says how)"
    )]
    NotBuilt,
    /// A library cannot be opened.
    #[error(
        "{library} cannot be opened: {message}; {remedy}",
        remedy = library.remedy()
    )]
    Library {
        /// The library.
        library: Library,
        /// The linker's message.
        message: String,
    },
    /// The driver does not start.
    #[error(
        "NVIDIA's driver does not start: {message}; `nvidia-smi` should list the GPU, and a restart often \
         helps after an update of the driver"
    )]
    Driver {
        /// The driver's message.
        message: String,
    },
    /// The driver finds no GPU.
    #[error(
        "NVIDIA's driver finds no GPU{hidden}; `nvidia-smi` should list one, and a container needs access \
         to it",
        hidden = .visible.as_ref().map_or(String::new(), |list| format!(" among CUDA_VISIBLE_DEVICES={list}"))
    )]
    NoDevice {
        /// What `CUDA_VISIBLE_DEVICES` says, where it is set.
        visible: Option<String>,
    },
    /// The driver is older than the compiler of the kernels.
    #[error(
        "NVIDIA's driver is for CUDA {found}, and this program needs one for CUDA {needed}; install a newer \
         driver, or build with an older CUDA toolkit"
    )]
    DriverTooOld {
        /// The version of CUDA that the driver supports.
        found: Version,
        /// The oldest sufficient one.
        needed: Version,
    },
    /// There is no GPU with this ordinal.
    #[error("there is no GPU cuda:{ordinal}; {count} found, numbered from 0")]
    Ordinal {
        /// The ordinal.
        ordinal: usize,
        /// The number of GPUs.
        count: usize,
    },
    /// The GPU is older than what the kernels were compiled for.
    #[error(
        "cuda:{ordinal}, {name}, has compute capability {found}, and this program was built for {needed} and \
         newer; build it with CUDA_COMPUTE_CAP={digits}",
        digits = .found.digits()
    )]
    Capability {
        /// The GPU's ordinal.
        ordinal: usize,
        /// Its name.
        name: String,
        /// Its compute capability.
        found: Version,
        /// The lowest sufficient one.
        needed: Version,
    },
    /// The GPU's memory is full.
    #[error("the memory of cuda:{ordinal} is full ({message})")]
    OutOfMemory {
        /// The GPU's ordinal.
        ordinal: usize,
        /// The driver's message.
        message: String,
    },
    /// Anything else that the driver or one of its libraries reports.
    #[error("cuda:{ordinal} failed: {message}")]
    Failed {
        /// The GPU's ordinal.
        ordinal: usize,
        /// The driver's message.
        message: String,
    },
}

/// Returns whether a message of dfdx or of the driver says that memory ran out.
pub(crate) fn is_out_of_memory(message: &str) -> bool {
    ["OUT_OF_MEMORY", "out of memory", "ALLOC_FAILED", "OutOfMemory"]
        .iter()
        .any(|sign| message.contains(sign))
}

/// A shared library that programs with CUDA open at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// The driver's interface, part of the driver.
    Driver,
    /// Matrix products, part of the toolkit and of PyTorch.
    Cublas,
    /// The compiler, part of the toolkit and of PyTorch.
    Nvrtc,
}

impl Library {
    fn remedy(self) -> &'static str {
        match self {
            Self::Driver => "install NVIDIA's driver",
            Self::Cublas | Self::Nvrtc => {
                "install the CUDA toolkit, or name the folder that holds the file in LD_LIBRARY_PATH"
            }
        }
    }
}

impl std::fmt::Display for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Driver => "the library of NVIDIA's driver, libcuda.so.1,",
            Self::Cublas => "cuBLAS, libcublas.so.13 or .12,",
            Self::Nvrtc => "NVRTC, libnvrtc.so.13 or .12,",
        })
    }
}

/// A version of CUDA, or a compute capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The number before the dot.
    pub major: u32,
    /// The number after the dot.
    pub minor: u32,
}

impl Version {
    /// Returns the version without the dot, as compilers take a compute capability.
    pub fn digits(self) -> u32 {
        self.major.saturating_mul(10).saturating_add(self.minor)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
