//! The HTTP listener: a page to look at, figures, and what comes in from outside.
//!
//! A request is read whole, with a cap and a deadline, before anything is done; the answer is made whole, and sent with
//! a deadline. What answers is a plain function of the [`Site`] and the [`Request`], listed in [`route`].

pub mod agents;
pub mod api;
pub mod auth;
pub mod badge;
pub mod conn;
pub mod days;
pub mod door;
pub mod guard;
pub mod health;
pub mod intake;
pub mod listener;
pub mod metrics;
pub mod page;
pub mod parse;
pub mod ping;
pub mod plan;
pub mod request;
pub mod response;
pub mod route;
pub mod serve;
pub mod site;

pub use plan::{Basic, EventPlan, HttpPlan, PingPlan, Scope, Scopes, Token, WebAgent};
pub use request::Request;
pub use response::Response;
pub use site::Site;
