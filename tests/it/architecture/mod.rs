//! Checks the architecture in the sources: which module may import which, and what only one module may use.

mod imports;
mod layers;
mod ownership;
mod sources;
