//! Certificates of a farm: who issues them, who presents them, who trusts them, and how a node gets its first one.
//!
//! One farm has one authority of its own. Whoever dials trusts nothing else, and asks for the role of whom it
//! dials, not for a host's name: names and addresses of machines change, and an authority that is this farm's alone
//! says more. Must not know HTTP, jobs or nodes' ids.

mod anchor;
mod authority;
mod config;
mod explain;
mod files;
mod identity;
mod join_token;
mod tickets;
mod verify;

pub use anchor::{Anchor, AnchorError};
pub use authority::{Authority, AuthorityError, Issued, new_request};
pub use config::{NoSystemRoots, Trust, client_config, server_config, world_config};
pub use explain::{find, in_words};
pub use files::keep_secret;
pub use identity::{Identity, IdentityError, Presented};
pub use join_token::{JoinToken, JoinTokenError, Pin};
pub use tickets::{RedeemError, Ticket, Tickets};
pub use verify::Role;
