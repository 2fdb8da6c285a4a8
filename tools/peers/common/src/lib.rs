//! What the measured QUIC stacks share, so that only the stack differs: arguments, sockets with buffers as large as
//! Godwit's, the bytes that are sent, the check of what arrived, and the result as JSON (docs/peers.md).

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{bail, Context, Result};
use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

/// UDP payload that no datagram exceeds.
pub const DATAGRAM_BYTES: u16 = 1200;
/// Connection and stream windows: more than a round trip on loopback ever holds.
pub const WINDOW_BYTES: u32 = 64 << 20;
/// Bytes handed to the stack at a time.
pub const CHUNK_BYTES: usize = 64 << 10;
/// The name in the certificate.
pub const SERVER_NAME: &str = "peer.test";
pub const PROTOCOL: &[u8] = b"godwit-peers/1";

const WORKING_SET_BYTES: usize = 64 << 20;
const SOCKET_RECEIVE_BYTES: libc::c_int = 16 << 20;
const SOCKET_SEND_BYTES: libc::c_int = 4 << 20;

pub enum Role {
    Server { bind: SocketAddr },
    Client { to: SocketAddr, seconds: f64 },
}

pub struct Arguments {
    pub role: Role,
    /// Where the server writes its certificate (PEM) and the client reads it.
    pub certificate: String,
    /// Worker threads of the runtime; 1: everything on the main thread.
    pub threads: usize,
    /// A stack's own setting under trial: `name=value`.
    pub settings: Vec<(String, u64)>,
}

impl Arguments {
    pub fn parse() -> Result<Self> {
        let mut words = std::env::args().skip(1);
        let role = words.next().unwrap_or_default();
        let (mut address, mut certificate, mut threads, mut seconds) = (None, None, 1, 5.0);
        let mut settings = Vec::new();
        while let Some(word) = words.next() {
            let value = words.next().with_context(|| format!("{word} needs a value"))?;
            match word.as_str() {
                "--bind" | "--to" => address = Some(value.parse().context("an address is ADDR:PORT")?),
                "--certificate" => certificate = Some(value),
                "--threads" => threads = value.parse()?,
                "--time" => seconds = value.parse()?,
                "--set" => {
                    let (name, number) = value.split_once('=').context("--set takes NAME=NUMBER")?;
                    settings.push((name.to_owned(), number.parse()?));
                }
                _ => bail!("unknown option {word}"),
            }
        }
        let role = match role.as_str() {
            "server" => Role::Server { bind: address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))) },
            "client" => Role::Client { to: address.context("--to is missing")?, seconds },
            _ => bail!("usage: server|client --certificate FILE [--bind|--to ADDR:PORT] [--time S] [--threads N]"),
        };
        Ok(Self { role, certificate: certificate.context("--certificate is missing")?, threads, settings })
    }

    pub fn setting(&self, name: &str) -> Option<u64> {
        self.settings.iter().find(|(key, _)| key == name).map(|(_, value)| *value)
    }
}

/// A self-signed certificate, written to `path` for the client. Returns certificate and key as PEM.
pub fn make_certificate(path: &str) -> Result<(String, String)> {
    let made = rcgen::generate_simple_self_signed(vec![SERVER_NAME.to_owned()])?;
    let certificate = made.cert.pem();
    std::fs::write(path, &certificate)?;
    Ok((certificate, made.key_pair.serialize_pem()))
}

/// What a client of `peer` binds.
pub fn any_address_like(peer: SocketAddr) -> SocketAddr {
    if peer.is_ipv4() {
        SocketAddr::from(([0u8; 4], 0))
    } else {
        SocketAddr::from(([0u8; 16], 0))
    }
}

/// Bound to `address`, with the buffers that Godwit asks for: the kernel's limit is passed where that is allowed.
pub fn make_socket(address: SocketAddr) -> Result<UdpSocket> {
    use std::os::fd::AsRawFd;
    let socket = UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    let set = |forced: libc::c_int, plain: libc::c_int, bytes: libc::c_int| {
        for option in [forced, plain] {
            // SAFETY: an open descriptor and an int, as setsockopt(2) wants for these options.
            let result = unsafe {
                libc::setsockopt(
                    socket.as_raw_fd(),
                    libc::SOL_SOCKET,
                    option,
                    (&raw const bytes).cast(),
                    size_of::<libc::c_int>() as libc::socklen_t,
                )
            };
            if result == 0 {
                break;
            }
        }
    };
    set(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, SOCKET_RECEIVE_BYTES);
    set(libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, SOCKET_SEND_BYTES);
    Ok(socket)
}

pub fn announce(address: SocketAddr) {
    println!("listening on {address}");
}

/// User and system time of this process.
pub fn cpu_time() -> Duration {
    // SAFETY: rusage is plain data, and getrusage fills it.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let of = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// The bytes that are sent: random, from more memory than the caches hold, round and round until the time is up.
pub struct Source {
    bytes: Bytes,
    at: usize,
    digest: Xxh3,
    sent: u64,
    until: Option<Instant>,
    duration: Duration,
    cpu_before: Duration,
}

impl Source {
    pub fn new(seconds: f64) -> Self {
        let mut bytes = vec![0u8; WORKING_SET_BYTES];
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        for word in bytes.chunks_exact_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        Self {
            bytes: bytes.into(),
            at: 0,
            digest: Xxh3::new(),
            sent: 0,
            until: None,
            duration: Duration::from_secs_f64(seconds),
            cpu_before: cpu_time(),
        }
    }

    /// Nothing when the time is up.
    pub fn next(&mut self) -> Option<Bytes> {
        match self.until {
            None => {
                self.cpu_before = cpu_time();
                self.until = Some(Instant::now() + self.duration);
            }
            Some(until) if Instant::now() >= until => return None,
            Some(_) => {}
        }
        let chunk = self.bytes.slice(self.at..self.at + CHUNK_BYTES);
        self.at = (self.at + CHUNK_BYTES) % WORKING_SET_BYTES;
        self.digest.update(&chunk);
        self.sent += CHUNK_BYTES as u64;
        Some(chunk)
    }

    /// Compares with what the server says it received; prints the result.
    pub fn report(&self, stack: &str, settings: &str, reply: &[u8]) -> Result<()> {
        let cpu = cpu_time() - self.cpu_before;
        if reply.len() != 32 {
            bail!("the server's reply has {} bytes", reply.len());
        }
        let word = |index: usize| u64::from_le_bytes(reply[8 * index..8 * index + 8].try_into().expect("eight bytes"));
        let (bytes, digest, nanoseconds, server_cpu) = (word(0), word(1), word(2), word(3));
        if bytes != self.sent {
            bail!("{} bytes were sent and {bytes} arrived", self.sent);
        }
        if digest != self.digest.digest() {
            bail!("what arrived is not what was sent");
        }
        println!(
            "{{\"stack\":\"{stack}\",\"settings\":\"{settings}\",\"delivered_bytes\":{bytes},\"seconds\":{:.6},\
             \"goodput_bits_per_second\":{:.0},\"cpu_seconds\":{{\"sender\":{:.4},\"receiver\":{:.4}}}}}",
            nanoseconds as f64 / 1e9,
            bytes as f64 * 8e9 / nanoseconds as f64,
            cpu.as_secs_f64(),
            server_cpu as f64 / 1e9,
        );
        Ok(())
    }
}

/// What the server sees of the stream.
#[derive(Default)]
pub struct Sink {
    digest: Xxh3,
    bytes: u64,
    began: Option<(Instant, Duration)>,
    last: Option<Instant>,
}

impl Sink {
    pub fn take(&mut self, chunk: &[u8]) {
        self.digest.update(chunk);
        self.bytes += chunk.len() as u64;
    }

    /// Once a call that received something.
    pub fn stamp(&mut self) {
        let now = Instant::now();
        self.began.get_or_insert_with(|| (now, cpu_time()));
        self.last = Some(now);
    }

    /// Bytes, digest, nanoseconds from the first byte to the last, processor time.
    pub fn reply(&self) -> Bytes {
        let (began, cpu_before) = self.began.unwrap_or_else(|| (Instant::now(), cpu_time()));
        let elapsed = self.last.unwrap_or(began) - began;
        let words =
            [self.bytes, self.digest.digest(), elapsed.as_nanos() as u64, (cpu_time() - cpu_before).as_nanos() as u64];
        words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>().into()
    }
}
