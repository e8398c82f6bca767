//! The network route to an instance: the proxy and the trusted authorities.
//!
//! Separate from [`super::proxy`] and [`super::authorities`], which know one kind of setting each, because it ranks
//! their sources: the environment, the defaults of Sentry's official CLI, and git's configuration if neither specifies
//! anything. Evaluated only for a network request, not for a cached `get`.

use std::sync::Arc;

use ureq::http::Uri;

use super::addresses::{Addresses, host_and_port};
use super::authorities::Authorities;
use super::git_http::GitHttp;
use super::headers::Headers;
use super::proxy::{self, ProxyChoice, Via};
use crate::failure::Failure;
use crate::origin::{Origin, Scheme};
use crate::printable::printable;
use crate::store::Store;
use crate::world::{Steps, World};

/// A route.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) via: Option<Via>,
    pub(super) authorities: Authorities,
    pub(super) headers: Headers,
    /// Addresses looked up in advance.
    pub(super) addresses: Addresses,
}

/// The route to one instance, with everything it needs: using it opens no file, starts no program and queries no name
/// server.
pub(crate) struct PreparedRoute {
    origin: Origin,
    route: Result<Arc<Route>, Failure>,
    steps: Steps,
}

impl PreparedRoute {
    /// Reads settings and certificates, and looks up names.
    pub(crate) fn new(world: &World, origin: &Origin) -> PreparedRoute {
        let route = Route::of(world, origin).map(|route| Arc::new(route.prepare(origin)));
        PreparedRoute {
            origin: origin.clone(),
            route,
            steps: world.steps(),
        }
    }

    /// The TCP port that requests connect to: the proxy's, if there is one. `None` if no request can be sent.
    pub(crate) fn port(&self) -> Option<u16> {
        let route = self.route.as_ref().ok()?;
        Some(host_and_port(&route.first_hop(&self.origin)?).1)
    }

    /// Where requests over this route are traced.
    pub(super) fn steps(&self) -> Steps {
        self.steps.clone()
    }

    /// The route, if it leads to `origin`.
    ///
    /// # Errors
    /// A setting cannot be used, or the route leads to another instance.
    pub(super) fn route_to(&self, origin: &Origin) -> Result<Arc<Route>, Failure> {
        match self.origin == *origin {
            true => self.route.clone(),
            false => Err(Failure::new(format!(
                "the route to {} was prepared, not to {origin}",
                self.origin
            ))),
        }
    }
}

impl Route {
    /// The route to an origin.
    ///
    /// # Errors
    /// A setting cannot be used. Ignoring it could send secrets over another route than the user intended.
    pub(super) fn of(world: &World, origin: &Origin) -> Result<Route, Failure> {
        let choice = proxy::of_environment(world, origin)?;
        let headers = Headers::of(world, origin)?;
        if origin.scheme() == Scheme::Http {
            return Ok(Route {
                via: None,
                authorities: Authorities::default(),
                headers,
                addresses: Addresses::default(),
            });
        }
        let mut authorities = Authorities::of_environment(world)?;
        if let Some(file) = Store::official_default(world, "ca-cert") {
            authorities.add_file("`sentry cli defaults ca-cert`", file.into())?;
        }
        let is_empty = matches!(choice, ProxyChoice::Unset) || authorities.is_empty();
        let git = match is_empty {
            true => GitHttp::of(world, origin),
            false => GitHttp::default(),
        };
        let via = match (choice, git.setting("proxy")) {
            (ProxyChoice::Through(via), _) => Some(via),
            (ProxyChoice::Unset, Some(setting)) => Some(Via::parse("git's `http.proxy`", setting)?),
            (ProxyChoice::Unset, None) | (ProxyChoice::Direct, _) => None,
        };
        if authorities.is_empty() {
            if let Some(file) = git.path("sslcainfo") {
                authorities.add_file("git's `http.sslCAInfo`", file)?;
            }
            if let Some(directory) = git.path("sslcapath") {
                authorities.add_directory("git's `http.sslCAPath`", directory)?;
            }
        }
        let route = Route {
            via,
            authorities,
            headers,
            addresses: Addresses::default(),
        };
        world.trace(|| format!("to {origin}: {}; {}", route.proxy(), route.trusted()));
        Ok(route)
    }

    fn prepare(mut self, origin: &Origin) -> Route {
        if origin.scheme() == Scheme::Https {
            self.authorities.load_system();
        }
        let is_resolved_by_proxy = |via: &Via| !via.proxy.resolve_target();
        let target = origin.to_string().parse().ok();
        let target = target.filter(|_| !self.via.as_ref().is_some_and(is_resolved_by_proxy));
        let names = [self.first_hop(origin), target];
        for name in names.iter().flatten() {
            self.addresses.look_up(name);
        }
        self
    }

    /// The URI of the first hop.
    fn first_hop(&self, origin: &Origin) -> Option<Uri> {
        match &self.via {
            Some(via) => Some(via.proxy.uri().clone()),
            None => origin.to_string().parse().ok(),
        }
    }

    /// All of it in a few words.
    pub(super) fn shown(&self) -> String {
        let names = self.headers.names();
        let headers = names.map_or_else(String::new, |names| format!("; with the headers {names}"));
        format!("{}; {}{headers}", self.proxy(), self.trusted())
    }

    /// Describes the proxy.
    pub(super) fn proxy(&self) -> String {
        match &self.via {
            None => "no proxy".to_owned(),
            Some(via) if via.has_credentials() => {
                format!("{} with a user name, from {}", via.shown(), via.source)
            }
            Some(via) => format!("{}, from {}", via.shown(), via.source),
        }
    }

    /// Describes the trusted authorities.
    pub(super) fn trusted(&self) -> String {
        let named = self.authorities.sources().iter().map(|(source, path)| {
            format!("{}, from {source}", printable(&path.display().to_string()))
        });
        let system = self.authorities.has_systems();
        let system = system.then(|| "the system's authorities".to_owned());
        system
            .into_iter()
            .chain(named)
            .collect::<Vec<_>>()
            .join("; ")
    }
}
