//! What the machine is and how busy it is.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use farmhand_protocol::agent::{Hardware, Load};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

/// Measures the machine's load; each measure covers the time since the one before.
#[derive(Debug)]
pub(crate) struct Gauge {
    /// Nothing where the system does not tell.
    system: Option<Mutex<System>>,
    data: PathBuf,
}

impl Gauge {
    /// `data` is the folder whose disk's free space counts.
    pub(crate) fn new(data: &Path) -> Self {
        let what = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing().with_usage())
            .with_memory(MemoryRefreshKind::nothing().with_ram());
        Self {
            system: System::new_with_specifics(what).ok().map(Mutex::new),
            data: data.to_owned(),
        }
    }

    pub(crate) fn measure(&self) -> Load {
        let mut load = Load {
            disk_free_bytes: disk_free(&self.data),
            ..Load::default()
        };
        if let Some(mut system) = self.system() {
            system.refresh_cpu_usage();
            system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
            load.cpu = (system.global_cpu_usage() / 100.0).clamp(0.0, 1.0);
            load.memory_bytes = system.used_memory();
        }
        load
    }

    /// Memory that may still be taken, in bytes; nothing where the system does not tell. In a container what is left
    /// of its share, if that is less.
    pub(crate) fn memory_free(&self) -> Option<u64> {
        let mut system = self.system()?;
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        let machine = system.available_memory();
        let share = system
            .cgroup_limits()
            .map_or(u64::MAX, |limits| limits.free_memory);
        Some(machine.min(share))
    }

    pub(crate) fn hardware(&self, gpus: Vec<String>) -> Hardware {
        let system = self.system();
        let cpus = system.as_ref().map(|system| system.cpus());
        let cpu = cpus.and_then(|cpus| Some(cpus.first()?.brand().trim().to_owned()));
        Hardware {
            os: System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned()),
            cpu: cpu
                .filter(|brand| !brand.is_empty())
                .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            threads: threads(),
            memory_bytes: system.as_ref().map_or(0, |system| system.total_memory()),
            gpus,
        }
    }

    fn system(&self) -> Option<MutexGuard<'_, System>> {
        let system = self.system.as_ref()?;
        Some(system.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Hardware threads that this process may use, at least 1: by its affinity, and by the quota of its cgroup.
pub(crate) fn threads() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX))
}

/// Memory that this process may use, in bytes: the machine's, or its container's where that has less.
pub(crate) fn memory_bytes() -> Option<u64> {
    let what = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(what).ok()?;
    let machine = system.total_memory();
    let limit = system
        .cgroup_limits()
        .map_or(machine, |limits| limits.total_memory.min(machine));
    (limit > 0).then_some(limit)
}

/// The host's name.
pub(crate) fn host_name() -> String {
    System::host_name().unwrap_or_else(|_| "node".to_owned())
}

/// Free space for us on the disk of `path`, in bytes; 0 if not known.
pub(crate) fn disk_free(path: &Path) -> u64 {
    nix::sys::statvfs::statvfs(path).map_or(0, |disk| {
        disk.blocks_available().saturating_mul(disk.fragment_size())
    })
}
