// One side of a Noise IK handshake by the crate `snow`, spoken in lines of hexadecimal digits over standard input and
// output; tests/noise_peer.cc is the same by Godwit's own code, tools/noise_peers/peer.py by the package noiseprotocol.
//   noise_peer initiator PROLOGUE STATIC_SECRET PEER_PUBLIC PAYLOAD
//   noise_peer responder PROLOGUE STATIC_SECRET - PAYLOAD
// Out: its message, then "PAYLOAD_OF_THE_OTHER HASH PEER_PUBLIC", then a transport message. In: the other one's messages.
use std::io::{BufRead, Write};

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hex")).collect()
}
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
fn say(line: &str) {
    println!("{line}");
    std::io::stdout().flush().expect("output");
}
fn hear() -> Vec<u8> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).expect("input");
    unhex(line.trim())
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let initiates = arguments[1] == "initiator";
    let prologue = unhex(&arguments[2]);
    let secret = unhex(&arguments[3]);
    let peer = if initiates { unhex(&arguments[4]) } else { Vec::new() };
    let payload = unhex(&arguments[5]);
    let builder = snow::Builder::new("Noise_IK_25519_ChaChaPoly_SHA256".parse().expect("pattern"))
        .prologue(&prologue)
        .local_private_key(&secret);
    let mut state = if initiates {
        builder.remote_public_key(&peer).build_initiator().expect("initiator")
    } else {
        builder.build_responder().expect("responder")
    };
    let mut memory = vec![0u8; 65535];
    let theirs;
    if initiates {
        let size = state.write_message(&payload, &mut memory).expect("message 1");
        say(&hex(&memory[..size]));
        let size = state.read_message(&hear(), &mut memory).expect("message 2");
        theirs = memory[..size].to_vec();
    } else {
        let size = state.read_message(&hear(), &mut memory).expect("message 1");
        theirs = memory[..size].to_vec();
        let size = state.write_message(&payload, &mut memory).expect("message 2");
        say(&hex(&memory[..size]));
    }
    let known = state.get_remote_static().expect("peer").to_vec();
    say(&format!("{} {} {}", hex(&theirs), hex(state.get_handshake_hash()), hex(&known)));
    let mut transport = state.into_transport_mode().expect("transport");
    let size = transport.write_message(b"transport message", &mut memory).expect("seal");
    say(&hex(&memory[..size]));
    let size = transport.read_message(&hear(), &mut memory).expect("open");
    say(&hex(&memory[..size]));
}
