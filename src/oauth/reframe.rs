//! Applies [`super::framing`] to a connection: the last element of ureq's chain of connectors.
//!
//! Separate from [`super::connect`], which bounds the time of a request, and from the framing itself, which knows no
//! connection.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use zeroize::Zeroizing;

use super::framing::{HeadTooLong, MAX_HEAD, Peer, Reframer};

/// The ways to log in that a proxy has offered during one request, in lower case.
#[derive(Debug, Clone, Default)]
pub(super) struct Offered(Arc<Mutex<Vec<String>>>);

impl Offered {
    pub(super) fn schemes(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, schemes: &[String]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = schemes.to_vec();
    }
}

/// Rewrites the answers of a server, and of a proxy before the tunnel.
#[derive(Debug)]
pub(super) struct ReframeConnector {
    /// Whether requests use a proxy.
    pub(super) proxied: bool,
    pub(super) offered: Offered,
}

impl<In: Transport> Connector<In> for ReframeConnector {
    type Out = Reframed<In>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        // The connection to the proxy goes through this chain too, without a proxy.
        let peer = match details.config.proxy().is_some() == self.proxied {
            true => Peer::Server,
            false => Peer::Proxy,
        };
        let buffers = LazyBuffers::new(
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(chained.map(|connection| Reframed {
            connection,
            buffers,
            reframer: Reframer::new(peer),
            offered: self.offered.clone(),
            pending: Zeroizing::default(),
            is_closed: false,
        }))
    }
}

/// A connection whose answer is rewritten.
pub(super) struct Reframed<T> {
    connection: T,
    buffers: LazyBuffers,
    reframer: Reframer,
    offered: Offered,
    /// Rewritten, and not yet in the buffer.
    pending: Zeroizing<Vec<u8>>,
    is_closed: bool,
}

impl<T: fmt::Debug> fmt::Debug for Reframed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reframed").field(&self.connection).finish()
    }
}

impl<T: Transport> Reframed<T> {
    /// Moves what is pending into the buffer; whether there was anything.
    fn deliver(&mut self) -> bool {
        let free = self.buffers.input_append_buf();
        let length = free.len().min(self.pending.len());
        free[..length].copy_from_slice(&self.pending[..length]);
        self.buffers.input_appended(length);
        self.pending.drain(..length);
        length > 0
    }

    /// Reads once and rewrites it.
    fn read(&mut self, timeout: NextTimeout) -> Result<(), Error> {
        match self.connection.await_input(timeout) {
            Ok(true) => {}
            Ok(false) => self.is_closed = true,
            // A server that closes without the end of TLS.
            Err(Error::Io(error)) if is_closure(&error) && self.reframer.ends_with_connection() => {
                self.is_closed = true;
            }
            Err(error) => return Err(error),
        }
        let buffers = self.connection.buffers();
        let length = buffers.input().len();
        let fed = self.reframer.feed(buffers.input(), &mut self.pending);
        buffers.input_consume(length);
        if !self.reframer.offered().is_empty() {
            self.offered.set(self.reframer.offered());
        }
        fed.map_err(|HeadTooLong| Error::LargeResponseHeader(MAX_HEAD, MAX_HEAD))?;
        if self.is_closed {
            self.reframer.end(&mut self.pending);
        }
        Ok(())
    }
}

fn is_closure(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

impl<T: Transport> Transport for Reframed<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let mut sent = 0;
        while sent < amount {
            let output = self.connection.buffers().output();
            let length = output.len().min(amount - sent);
            output[..length].copy_from_slice(&self.buffers.output()[sent..sent + length]);
            self.connection.transmit_output(length, timeout)?;
            sent += length;
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        loop {
            if self.deliver() {
                return Ok(true);
            }
            if self.is_closed || self.reframer.is_ended() {
                return Ok(false);
            }
            self.read(timeout)?;
        }
    }

    fn is_open(&mut self) -> bool {
        self.connection.is_open()
    }

    fn is_tls(&self) -> bool {
        self.connection.is_tls()
    }
}
