//! A checkpoint as a message of syslog (RFC 5424): over UDP (RFC 5426), TCP (RFC 6587, octets counted), TLS (RFC 5425)
//! or the local socket. Syslog confirms nothing: what the connection took counts as arrived.

use crate::app::App;
use crate::app::encryption::{self, Named};
use crate::audit::leaf::recorded_text;
use crate::config::{Keeper, Outbound, SyslogBy};
use crate::store::audit::sequence::Published;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Facility 13 (log audit), severity 5 (notice).
const PRIORITY: u8 = 13 * 8 + 5;
/// Longest wait for a connection, and for each write.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where messages go.
#[derive(Clone, Debug)]
pub(super) struct Syslog(To);

#[derive(Clone, Debug)]
enum To {
    Local(PathBuf),
    Udp(String, u16),
    Tcp(String, u16),
    Tls(String, u16, Arc<ClientConfig>),
}

impl Syslog {
    /// By this setting.
    ///
    /// # Errors
    /// Names the setting that can't be used.
    pub(super) fn new(keeper: &Keeper, outbound: &Outbound) -> Result<Self, String> {
        Ok(Self(match keeper {
            Keeper::SyslogLocal(path) => To::Local(path.clone()),
            Keeper::Syslog(SyslogBy::Udp, host, port) => To::Udp(host.clone(), *port),
            Keeper::Syslog(SyslogBy::Tcp, host, port) => To::Tcp(host.clone(), *port),
            Keeper::Syslog(SyslogBy::Tls, host, port) => To::Tls(host.clone(), *port, encryption(outbound)?),
            Keeper::File(_) | Keeper::Https(_) => {
                return Err(format!("audit.checkpoints: {keeper} is no syslog"));
            }
        }))
    }

    /// Sends a checkpoint.
    ///
    /// # Errors
    /// When it can't be handed over.
    pub(super) async fn send(&self, app: &App, checkpoint: &Published) -> Result<(), String> {
        let public = app.config.server.public_base_url.as_deref().and_then(|url| url.split("://").nth(1));
        let host = public.and_then(|rest| rest.split(['/', ':']).next()).unwrap_or("-");
        let message = message(host, checkpoint);
        let to = self.0.clone();
        let sent = tokio::task::spawn_blocking(move || to.send(&message)).await;
        sent.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }
}

/// The message: its text is a JSON object with the size, the time and the note.
fn message(host: &str, checkpoint: &Published) -> String {
    let Published { size, at_us, note, .. } = checkpoint;
    let at = recorded_text(*at_us);
    let text = serde_json::json!({ "size": size, "signed": at, "checkpoint": note });
    let pid = std::process::id();
    format!("<{PRIORITY}>1 {at} {host} slotwright {pid} checkpoint - \u{FEFF}{text}")
}

impl To {
    fn send(&self, message: &str) -> io::Result<()> {
        match self {
            Self::Local(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(PATIENCE))?;
                socket.send_to(message.as_bytes(), path).map(drop)
            }
            Self::Udp(host, port) => {
                let to = first_address(host, *port)?;
                let from = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(from)?;
                // Connected, so that a port that nobody listens on may be told.
                socket.connect(to)?;
                socket.send(message.as_bytes()).map(drop)
            }
            Self::Tcp(host, port) => {
                let mut stream = connect(host, *port)?;
                stream.write_all(framed(message).as_bytes())?;
                finish(&stream)
            }
            Self::Tls(host, port, settings) => {
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                let connection =
                    ClientConnection::new(Arc::clone(settings), name).map_err(io::Error::other)?;
                let mut stream = StreamOwned::new(connection, connect(host, *port)?);
                stream.write_all(framed(message).as_bytes())?;
                stream.conn.send_close_notify();
                stream.flush()?;
                finish(&stream.sock)
            }
        }
    }
}

/// Octets counted (RFC 5425 section 4.3).
fn framed(message: &str) -> String {
    format!("{} {message}", message.len())
}

fn first_address(host: &str, port: u16) -> io::Result<std::net::SocketAddr> {
    let none = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    (host, port).to_socket_addrs()?.next().ok_or_else(none)
}

fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_write_timeout(Some(PATIENCE))?;
                stream.set_read_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Says that nothing more comes, and waits a little for the other side to have read it: whoever resets the connection
/// instead has not.
fn finish(mut stream: &TcpStream) -> io::Result<()> {
    use std::io::Read;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut rest = [0; 1024];
    loop {
        match stream.read(&mut rest) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // A server that keeps the connection open.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
}

fn encryption(outbound: &Outbound) -> Result<Arc<ClientConfig>, String> {
    let roots = outbound.roots.as_deref().map(|path| Named { setting: "outbound.roots", path });
    encryption::client(roots, None).map(Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_with_the_whole_note() {
        let note = "log.example\n7\nroot\n\n\u{2014} log.example sig\n".to_owned();
        let checkpoint =
            Published { size: 7, root: vec![], at_us: 1_767_225_600_000_001, note: note.clone() };
        let message = message("clinic.example", &checkpoint);
        let (head, text) = message.split_once('\u{FEFF}').unwrap();
        let pid = std::process::id();
        assert_eq!(
            head,
            format!("<109>1 2026-01-01T00:00:00.000001Z clinic.example slotwright {pid} checkpoint - ")
        );
        assert!(!message.contains('\n'));
        let text: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            (text["checkpoint"].as_str().unwrap(), text["size"].as_i64().unwrap()),
            (note.as_str(), 7)
        );
    }
}
