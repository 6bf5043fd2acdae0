//! What Farmhand's two HTTP servers and their clients share: the token rule, rate limits, strict JSON bodies, problem
//! details, numbered event streams (both ends), large bodies taken in by their hash, the seed calls' bodies, routes
//! with their OpenAPI document, figures for Prometheus, listening and dialling.
//!
//! Must not know jobs, batches, Blender, or which server it serves.

mod access;
mod api;
mod client;
mod events;
mod extract;
mod farm_address;
mod figures;
mod follow;
mod intake;
mod limit;
mod listen;
mod oversize;
mod reject;
pub mod seed;
mod tls_door;
mod token;

pub use access::{Access, Open, ReadOnly, TOKENS_HEADER};
pub use api::{Api, Call, call};
pub use client::{cause_of, client, client_of_the_world, is_about_trust};
pub use events::{AfterEvent, EventLog};
pub use extract::{Json, JsonOrDefault, Path, Query};
pub use farm_address::{AddressError, FarmAddress};
pub use figures::{CallFigures, Figures};
pub use follow::{Received, RetryDelay, follow};
pub use intake::{Entry, Intake, IntakeError, Part, RECEIVED_HEADER};
pub use limit::Limits;
pub use listen::{Caller, ListenError, bind, serve};
pub use oversize::refuse_oversized;
pub use reject::Reject;
pub use token::{TokenError, Tokens};
