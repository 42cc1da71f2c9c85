//! How kernels share out their work, by the class of the adapter: the one place where that is decided.
//!
//! A software adapter is the processor: barriers cost it a pass over all threads of a workgroup, and few threads with large
//! register tiles keep it busy. A graphics card wants the opposite: thousands of threads, neighbours that read neighbouring
//! values, and what many threads need in workgroup memory.
//!
//! Of the row of software adapters the width of a tile was chosen by timing SwiftShader. **The other rows were never timed**, for want
//! of such a machine: they follow from what is known of these devices, and are tested for right results only.

use std::sync::atomic::{AtomicU8, Ordering};

/// What kind of adapter computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// A graphics card with memory of its own.
    Discrete,
    /// A GPU beside the processor, which shares its memory; also what does not say what it is, as in most browsers.
    Integrated,
    /// The GPU of a phone or a tablet.
    Mobile,
    /// The processor plays the GPU.
    Software,
}

/// The sizes of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tiles {
    /// Few rows: threads of a workgroup. A software adapter gives a workgroup to one core.
    pub threads: u32,
    /// Few rows: threads that share each weight row and add their sums up in workgroup memory; 1 for none.
    pub lanes: u32,
    /// Few rows: fours of columns in a thread's tile.
    pub fours: usize,
    /// Many rows: the number of threads with tiles of 8 × 8 from which on tiles are that large, and not 4 × 4.
    pub wide_from: usize,
    /// Many rows: the number of rows from which on a workgroup's part of both sides goes through workgroup memory.
    pub staged_from: usize,
    /// Attention forward: threads that are wanted, and the most that share a head of a token.
    pub attention: (usize, usize),
}

const NEVER: usize = usize::MAX;

impl Class {
    pub(super) const ALL: [Self; 4] = [
        Self::Discrete,
        Self::Integrated,
        Self::Mobile,
        Self::Software,
    ];

    /// The table.
    pub fn tiles(self) -> Tiles {
        match self {
            Self::Discrete => Tiles {
                threads: 64,
                lanes: 16,
                fours: 1,
                wide_from: 16_384,
                staged_from: 64,
                attention: (8192, 64),
            },
            Self::Integrated => Tiles {
                threads: 64,
                lanes: 16,
                fours: 1,
                wide_from: 4096,
                staged_from: 64,
                attention: (4096, 32),
            },
            Self::Mobile => Tiles {
                threads: 64,
                lanes: 8,
                fours: 1,
                wide_from: 4096,
                // Tilers keep workgroup memory in the cache that serves plain reads as well.
                staged_from: NEVER,
                attention: (2048, 16),
            },
            Self::Software => Tiles {
                threads: 16,
                lanes: 1,
                fours: 2,
                wide_from: 0,
                staged_from: NEVER,
                attention: (256, 8),
            },
        }
    }

    /// The class of an adapter: its type as wgpu names it, its description, and whether the page runs on a phone or tablet.
    pub fn of(kind: &str, name: &str, mobile: bool) -> Self {
        let name = name.to_lowercase();
        let is = |marks: &[&str]| marks.iter().any(|mark| name.contains(mark));
        if kind == "Cpu" || is(&["swiftshader", "llvmpipe", "lavapipe", "software"]) {
            Self::Software
        } else if mobile || is(&["adreno", "mali", "powervr"]) {
            Self::Mobile
        } else if kind == "DiscreteGpu" || is(&["nvidia", "geforce"]) {
            Self::Discrete
        } else {
            Self::Integrated
        }
    }
}

/// Set when a GPU is opened, as an index into [`Class::ALL`].
static CLASS: AtomicU8 = AtomicU8::new(1);

/// Makes this the class of the adapter in use.
pub(super) fn choose(class: Class) {
    CLASS.store(class as u8, Ordering::Relaxed);
}

#[cfg(test)]
thread_local! {
    static TESTED: std::cell::Cell<Option<Class>> = const { std::cell::Cell::new(None) };
}

/// Does something with the tiles of another class than the adapter's, in this thread only.
#[cfg(test)]
pub(super) fn as_if<T>(class: Class, work: impl FnOnce() -> T) -> T {
    TESTED.set(Some(class));
    let done = work();
    TESTED.set(None);
    done
}

/// The sizes for the adapter in use.
pub(super) fn tiles() -> Tiles {
    #[cfg(test)]
    if let Some(class) = TESTED.get() {
        return class.tiles();
    }
    Class::ALL[usize::from(CLASS.load(Ordering::Relaxed)) % Class::ALL.len()].tiles()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adapter_is_classed_by_its_type_its_name_and_the_page() {
        for (kind, name, mobile, class) in [
            ("Cpu", "llvmpipe (LLVM 19)", false, Class::Software),
            ("Other", "Google SwiftShader", true, Class::Software),
            (
                "DiscreteGpu",
                "NVIDIA H200 (Vulkan)",
                false,
                Class::Discrete,
            ),
            ("Other", "nvidia ampere", false, Class::Discrete),
            (
                "IntegratedGpu",
                "Apple M3 (Metal)",
                false,
                Class::Integrated,
            ),
            ("Other", "", false, Class::Integrated),
            ("Other", "", true, Class::Mobile),
            ("IntegratedGpu", "Adreno (TM) 740", false, Class::Mobile),
        ] {
            assert_eq!(Class::of(kind, name, mobile), class, "{kind} {name}");
        }
    }

    #[test]
    fn the_class_that_was_chosen_is_found_again() {
        for class in Class::ALL {
            assert_eq!(Class::ALL[class as usize], class);
        }
    }
}
