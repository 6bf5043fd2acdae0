//! Why a .blend could not be inspected, in the words of who chose the file.

use std::io;

/// Why a .blend could not be inspected. Every message is one line without the file's name.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The disk's fault, or the path's.
    #[error("cannot read the file")]
    Unreadable(#[source] io::Error),
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// Something else.
    #[error("this is no .blend file")]
    NotBlend,
    /// A header that no Blender up to 5.3 writes.
    #[error("the file's header is of a kind that no Blender up to 5.3 writes; save it with an older Blender")]
    UnknownHeader,
    /// It ends before its last block.
    #[error("the file is cut off; copy it again, or save it again in Blender")]
    Truncated,
    /// It contradicts itself.
    #[error("the file is damaged ({0}); save it again in Blender")]
    Damaged(&'static str),
    /// Compressed out of all proportion.
    #[error(
        "the file unpacks to more than {gibibytes} GiB, out of all proportion to its size; save it without compression"
    )]
    Bomb {
        /// What it was allowed to unpack to.
        gibibytes: u64,
    },
    /// More of something than a person would make.
    #[error("the file holds more than {limit} {what}, which is no scene to render")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The most that is accepted.
        limit: u64,
    },
}

impl InspectError {
    /// What reading or decompressing said: an end that came too soon, damage, or the disk.
    pub(crate) fn from_read(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Truncated,
            _ if error.raw_os_error().is_some() => Self::Unreadable(error),
            // Decompressors have no better way to say it.
            _ => match error.downcast::<InspectError>() {
                Ok(ours) => ours,
                Err(_) => Self::Damaged("its compression is broken"),
            },
        }
    }
}
