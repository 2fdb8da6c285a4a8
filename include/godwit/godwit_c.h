/* Godwit's C interface: a peer with its own event loop (godwit_node), and the transport without I/O for a loop of your
 * own (godwit_endpoint). It is the stable binary interface: functions are only added, structures only grow at their
 * end, and each begins with its size, so that a program and a library of different versions understand each other.
 *
 * Functions that can fail return a godwit_status; godwit_last_error() then has one line for a person. No function
 * throws. Null handles are not allowed unless a function says so. Text is UTF-8 and ends with a zero; what a function
 * returns belongs to the library and lives as the function says.
 *
 * Threads: a node or endpoint is used by one thread at a time; godwit_node_stop(), godwit_node_wake() and
 * godwit_node_post() may be called from any. Neither survives fork(): in a child, sending aborts, since the parent goes
 * on with the same keys and nonces. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "godwit/version.h"

#pragma GCC visibility push(default)
#ifdef __cplusplus
extern "C" {
#endif

/* <cdef> What stands between these marks is read by the Python binding as well. */

/* ---- Results ---- */
/* What a call came to. */
typedef enum godwit_status {
  GODWIT_OK = 0,               /* it worked */
  GODWIT_INVALID_ARGUMENT = 1, /* the call could never work as it was made */
  GODWIT_WOULD_BLOCK = 2, /* a bounded queue is full; GODWIT_EVENT_WRITABLE follows where a connection is concerned */
  GODWIT_CLOSED = 3,      /* the connection or the peer has gone */
  GODWIT_NOT_FOUND = 4,   /* the connection or message has ended */
  GODWIT_TOO_LARGE = 5,   /* beyond a limit of the protocol or of the options */
  GODWIT_PERMISSION = 6,  /* the system does not allow it */
  GODWIT_SYSTEM = 7,      /* godwit_last_error() has the system's reason */
  GODWIT_UNSUPPORTED = 8, /* not by this system, or not by this build */
  GODWIT_PROTOCOL = 9,    /* the peer broke the protocol */
  GODWIT_TIMEOUT = 10,    /* nobody answered in time */
  GODWIT_UNAUTHENTICATED = 11, /* the peer did not prove its key */
  GODWIT_NO_MEMORY = 12        /* the process has none */
} godwit_status;

/* Why the latest call on this thread failed: one line. Valid until the next call on this thread. */
const char* godwit_last_error(void);
/* "0.1.0", and GODWIT_VERSION_NUMBER, both of the library. */
const char* godwit_version(void);
uint32_t godwit_version_number(void);

/* ---- Keys ---- */
godwit_status godwit_generate_key(uint8_t secret[32]); /* 32 bytes from the system's generator */
/* The 64 hexadecimal digits of a secret key's public half, and a zero. */
godwit_status godwit_public_key(const uint8_t secret[32], char text[65]);

/* ---- Tickets ---- */
/* How to reach a peer, as one word that people pass on (docs/tickets.md). Texts end with a zero. */
typedef struct godwit_ticket {
  size_t size;                      /* of this structure, as the program knows it */
  char public_key[65];              /* 64 hexadecimal digits */
  bool requires_extended;           /* the peer has extended sessions alone */
  uint32_t addresses_count;         /* of `addresses`; at most 16 */
  char addresses[16][64];           /* "192.0.2.7:31337", in order of preference */
  uint32_t hosts_count;             /* of `hosts`; at most 4 */
  char hosts[4][264];               /* "host.example:31337": to be looked up */
  uint32_t rendezvous_count;        /* of the two that follow; at most 4 */
  char rendezvous_addresses[4][64]; /* as in `addresses` */
  char rendezvous_keys[4][65];      /* of the rendezvous, as `public_key` */
} godwit_ticket;

/* Reads a ticket of either case. Set ticket->size to sizeof(godwit_ticket) before. GODWIT_INVALID_ARGUMENT for what is
 * no ticket or mistyped, GODWIT_UNSUPPORTED for one of a later version. */
godwit_status godwit_ticket_parse(const char* text, godwit_ticket* ticket);
/* Writes the text and a zero; 1024 bytes hold any ticket. GODWIT_TOO_LARGE when `capacity` is less than it needs. */
godwit_status godwit_ticket_format(const godwit_ticket* ticket, char* text, size_t capacity);

/* ---- Addresses ---- */
/* A UDP address: IPv4 in the first four octets. It stays as it is. */
typedef struct godwit_address {
  uint8_t octets[16]; /* in network order */
  uint32_t scope_id;  /* the interface of a link-local IPv6 address; 0 otherwise */
  uint16_t port;      /* in the order of the machine, as the scope */
  bool ipv6;          /* else the last twelve octets are zero */
} godwit_address;

/* Reads "192.0.2.7:31337" and "[2001:db8::1]:31337"; looks up no name. */
godwit_status godwit_address_parse(const char* text, godwit_address* address);
/* Writes the same text and a zero; 64 bytes hold any address. GODWIT_TOO_LARGE when `capacity` is less than needed. */
godwit_status godwit_address_format(const godwit_address* address, char* text, size_t capacity);
/* The addresses of "NAME:PORT" or "ADDR:PORT" as texts of at most 63 characters, by the system's resolver, which may
 * take seconds, in its order of preference. At most `capacity` of them; *count is how many there are. */
godwit_status godwit_resolve(const char* name_and_port, char (*addresses)[64], size_t capacity, size_t* count);

/* ---- Options ---- */
/* Set by godwit_options_init(), then changed as wanted. Texts are read during the call that takes the options. */
typedef struct godwit_options {
  size_t size; /* of this structure, as the program knows it */
  /* The members that have no comment are those of godwit::v1::Options (types.h); times are nanoseconds. */
  bool accept_incoming;
  bool require_authenticated_peer;
  bool stream_in_chunks;      /* streams as GODWIT_EVENT_CHUNK as they come in, not as one message when complete */
  uint64_t max_connections;   /* that others begin */
  uint64_t max_inbound_bytes; /* memory of all unfinished inbound streams together */
  const char* congestion;     /* "cubic", "newreno", "bbr", "ledbat", "fixed"; null: the default */
  const char* cipher;         /* "auto" or a name that `godwit doctor` shows; null: the default */
  uint64_t connection_bits_per_second; /* of application bytes; 0: no limit */
  uint64_t endpoint_bits_per_second;   /* the same, of all connections together */
  int64_t connect_timeout_ns;          /* a connection that is not established by then has failed */
  int64_t idle_timeout_ns;             /* a peer that was not heard of for so long has gone */
  /* Of a node alone. */
  const char* bind;    /* "ADDR:PORT"; port 0 lets the system choose; null: "[::]:0" */
  const char* backend; /* "auto", "sendto", "connected", "mmsg", "gso", "uring", "posix"; null: the default */
  const char* idle;    /* "block", "spin-block", "spin"; null: the default */
  uint64_t receive_buffer_bytes;
  /* Gets each record of a qlog trace while the loop runs; must not call the library. Null: no trace. */
  void (*trace)(const char* record, size_t length, void* context);
  void* trace_context;
  const char* extended;             /* extended sessions: "off", "auto", "require"; null: the default */
  uint64_t stream_window_bytes;     /* of an inbound stream, ahead of the application; extended sessions */
  uint64_t connection_window_bytes; /* the same of all inbound streams of a connection */
  bool consume_by_hand;             /* bytes of chunks count as read by ..._consume(), not when they are delivered */
  /* Gets each line of a key log: whoever has them can read the sessions. Must not call the library. Null: no key leaves
   * the library. */
  void (*key_log)(const char* line, size_t length, void* context);
  void* key_log_context;
  uint64_t max_datagram_bytes; /* of extended sessions, where path and peer carry it: 1200 to 8900; 1200: none larger */
  /* Who may connect, as Options::admit_address and admit_key have it (types.h); must not call the library. Null:
   * everybody who knows this side's key. The first is asked about the source of a datagram that belongs to no
   * connection: false drops it in silence. The second about each peer that has connected, by the 64 hexadecimal digits
   * of the key that it has proved, empty where it has proved none: false closes the connection, unreported. */
  bool (*admit_address)(const godwit_address* remote, void* context);
  void* admit_address_context;
  bool (*admit_key)(const char* public_key, void* context);
  void* admit_key_context;
  uint64_t stranger_handshakes_per_second; /* extended sessions that hosts not connected before may begin */
  uint64_t threads; /* of a node, that seal and send: the one that runs it, and others up to 64; 0 and 1: that one */
} godwit_options;

/* Fills in the defaults. `size` is sizeof(godwit_options). */
void godwit_options_init(godwit_options* options, size_t size);

/* How one message is sent. Null in place of it: the defaults. Begin with godwit_send_options_init(). */
typedef struct godwit_send_options {
  size_t size;             /* of this structure, as the program knows it */
  int64_t deadline_ns;     /* the message fails unless wholly acknowledged within this time; 0: none */
  uint64_t send_limit;     /* bytes of a stream that may be sent before ..._extend_send_limit(); UINT64_MAX: all */
  bool stream;             /* as a stream whatever its size */
  bool operations;         /* as an operations stream, the kind that carries metadata */
  const uint8_t* metadata; /* null: none; at most 1120 bytes */
  size_t metadata_length;  /* bytes */
  bool unreliable;         /* sent once: lost on the way it fails; Options of node.h say how large; no stream */
  uint8_t urgency;         /* of a stream: 0, the most urgent, to 7; 3 by default (SendOptions::urgency) */
} godwit_send_options;

/* `size` is sizeof(godwit_send_options). */
void godwit_send_options_init(godwit_send_options* options, size_t size);

/* ---- Events ---- */
typedef uint64_t godwit_connection; /* never 0, never reused */
typedef uint64_t godwit_message;    /* never 0, never reused on its connection */

/* What happened, and which members tell more. */
typedef enum godwit_event_kind {
  GODWIT_EVENT_CONNECTED = 0,      /* remote, observed, authenticated, initiator, peer_key, extended */
  GODWIT_EVENT_CLOSED = 1,         /* reason, text, code; the last event of a connection */
  GODWIT_EVENT_MESSAGE = 2,        /* bytes: a whole message */
  GODWIT_EVENT_CHUNK = 3,          /* bytes, stream, offset, total: the next bytes of a stream, in order */
  GODWIT_EVENT_ABORTED = 4,        /* stream, offset, total: an inbound stream ended half received */
  GODWIT_EVENT_ACKNOWLEDGED = 5,   /* message: acknowledged wholly; borrowed bytes are free */
  GODWIT_EVENT_FAILED = 6,         /* message, text, may_have_arrived; borrowed bytes are free */
  GODWIT_EVENT_WRITABLE = 7,       /* a refused send can be tried again */
  GODWIT_EVENT_ROUND_TRIP = 8,     /* round_trip_ns: a ping was answered */
  GODWIT_EVENT_SUSPECT = 9,        /* silent_for_ns: the peer is silent; the connection stays open */
  GODWIT_EVENT_KEY_AGING = 10,     /* connect again when the streams have ended */
  GODWIT_EVENT_METADATA = 11,      /* bytes, stream: metadata of an operations stream */
  GODWIT_EVENT_AUTHENTICATED = 12, /* a peer connected without proof has proved its key since */
  GODWIT_EVENT_MOVED = 13          /* remote: the peer of an extended session has another address now */
} godwit_event_kind;

/* Why a connection ended, as godwit::v1::CloseReason has it. */
typedef enum godwit_close_reason {
  GODWIT_CLOSE_LOCAL = 0,
  GODWIT_CLOSE_REMOTE = 1,
  GODWIT_CLOSE_IDLE_TIMEOUT = 2,
  GODWIT_CLOSE_REPLACED = 3,
  GODWIT_CLOSE_HANDSHAKE_FAILED = 4,
  GODWIT_CLOSE_KEY_EXHAUSTED = 5,
  GODWIT_CLOSE_UNAUTHENTICATED = 6,
  GODWIT_CLOSE_MEMORY = 7,
  GODWIT_CLOSE_PROTOCOL_VIOLATION = 8,
  GODWIT_CLOSE_EVICTED = 9,
  GODWIT_CLOSE_RESET = 10
} godwit_close_reason;

/* "idle time-out", as the C++ interface names it; "unknown" for what is no reason. Lives as long as the library. */
const char* godwit_close_reason_name(int32_t reason);

/* Fields that a kind does not name are zero or empty. Pointers live until the handler returns (node), or until
 * godwit_endpoint_poll_event() has returned false (endpoint); texts of an endpoint's event until the next one. */
typedef struct godwit_event {
  size_t size;    /* of this structure, as the library knows it: fields beyond it are not there */
  int32_t kind;   /* godwit_event_kind; skip those you do not know */
  int32_t reason; /* godwit_close_reason */
  /* As the members of godwit::v1::Event (types.h): `length` counts `bytes`, times are nanoseconds. */
  godwit_connection connection;
  uint64_t user_data;
  const uint8_t* bytes;
  size_t length;
  uint64_t offset;
  uint64_t total;
  godwit_message message;
  uint32_t stream;
  bool may_have_arrived;
  bool authenticated;
  bool initiator;
  int64_t round_trip_ns;
  int64_t silent_for_ns;
  const char* remote;   /* never null */
  const char* observed; /* never null */
  const char* text;     /* never null */
  const char* peer_key; /* never null: what the peer has proved, 64 hexadecimal digits; empty if nothing */
  uint64_t code;        /* given to ..._close() by the side that closed */
  bool extended;        /* the connection is an extended session */
} godwit_event;

/* ---- Counters ---- */
/* Set `size` to sizeof(godwit_statistics) before the call; as much is filled in. */
typedef struct godwit_statistics {
  /* As the members of godwit::v1::Statistics (types.h); times are nanoseconds, texts end with a zero. */
  size_t size;
  uint64_t packets_sent;
  uint64_t bytes_sent;
  uint64_t payload_bytes_sent;
  uint64_t packets_received;
  uint64_t bytes_received;
  uint64_t payload_bytes_received;
  uint64_t packets_retransmitted;
  uint64_t packets_lost;
  uint64_t losses_spurious;
  uint64_t packets_abandoned;
  uint64_t timeouts;
  uint64_t datagrams_dropped;
  uint64_t bytes_in_flight;
  uint64_t window_bytes;
  uint64_t pacing_bits_per_second;
  int64_t latest_round_trip_ns;
  int64_t smoothed_round_trip_ns;
  int64_t minimum_round_trip_ns;
  int64_t round_trip_variance_ns;
  char congestion[16];
  char congestion_state[32];
  char cipher[32];
  uint64_t datagram_bytes;
  uint64_t max_unreliable_bytes;
  char form[16];
  char fallback[64];
  uint64_t key_updates;
} godwit_statistics;

/* The same of all connections of an endpoint. */
typedef struct godwit_endpoint_statistics {
  /* As the members of godwit::v1::EndpointStatistics (types.h). */
  size_t size;
  uint64_t connections;
  uint64_t connections_opened;
  uint64_t connections_closed;
  uint64_t handshakes_started;
  uint64_t handshakes_failed;
  uint64_t connections_evicted;
  uint64_t evicted_for_memory;
  uint64_t inbound_bytes;
  uint64_t datagrams_received;
  uint64_t datagrams_dropped;
  uint64_t unadmitted_datagrams;
  uint64_t unadmitted_peers;
} godwit_endpoint_statistics;

/* Whether a peer is heard of. Set `size` to sizeof(godwit_liveness) before the call. */
typedef struct godwit_liveness {
  size_t size;      /* of this structure, as the program knows it */
  bool suspect;     /* the suspect event was reported, and the peer has been silent since */
  char problem[64]; /* what the kernel or ICMP last said about datagrams to it, "port unreachable"; else empty */
} godwit_liveness;

/* Bytes that are sent end to end with others (..._send_pieces()). It stays as it is. */
typedef struct godwit_piece {
  const uint8_t* bytes; /* `length` of them */
  size_t length;        /* may be 0 */
} godwit_piece;

/* ---- A peer with its own event loop ---- */
typedef struct godwit_node godwit_node;
/* Called on the thread that runs the node. Every function of the node may be called in it but destroy, run and turn. */
typedef void (*godwit_handler)(godwit_node* node, const godwit_event* event, void* context);

/* `options` may be null: the defaults. On success *node is a node to be given to godwit_node_destroy(). */
godwit_status godwit_node_open(const godwit_options* options, const uint8_t secret[32], godwit_node** node);
/* Closes the socket at once; peers learn of it from godwit_node_shut_down() before, or by their idle time-outs. Null is
 * allowed. */
void godwit_node_destroy(godwit_node* node);
/* "192.0.2.7:31337", and the 64 hexadecimal digits of the own public key. Both live as long as the node. */
const char* godwit_node_local_address(const godwit_node* node);
const char* godwit_node_public_key(const godwit_node* node);

/* `address` is "ADDR:PORT"; `public_key` 64 hexadecimal digits. An event tells the outcome. */
godwit_status godwit_node_connect(godwit_node* node, const char* address, const char* public_key,
                                  godwit_connection* connection);
/* To a peer with several addresses, or a name ("host:port", looked up by the system, which may take seconds): attempts
 * race as RFC 8305 says. `done` is called once, on the loop's thread, just before the winner's event, with
 * GODWIT_OK and the connection, or with the error and 0; godwit_last_error() then has the reasons. */
typedef void (*godwit_connected)(godwit_node* node, godwit_status status, godwit_connection connection, void* context);
godwit_status godwit_node_connect_by_name(godwit_node* node, const char* name_and_port, const char* public_key,
                                          godwit_connected done, void* context);
/* The same for addresses that are known, `count` of them. */
godwit_status godwit_node_connect_addresses(godwit_node* node, const char* const* addresses, size_t count,
                                            const char* public_key, godwit_connected done, void* context);
/* The same for the peer of a ticket, as Node::connect() has it (node.h): its rendezvous are asked where the peer can be
 * found; its hosts are not looked up (godwit_resolve() does, for its addresses). */
godwit_status godwit_node_connect_ticket(godwit_node* node, const godwit_ticket* ticket, godwit_connected done,
                                         void* context);
/* Keeps the node findable at a rendezvous, as Node::register_at() has it (node.h). `notice`, which may be null, gets
 * one line each, on the loop's thread. */
typedef void (*godwit_notice)(godwit_node* node, const char* text, void* context);
godwit_status godwit_node_register_at(godwit_node* node, const char* address, const char* public_key,
                                      godwit_notice notice, void* context);
/* The two by a one-time code in place of keys, as Node::connect_by_code() and listen_by_code() have it (node.h). With a
 * null `code` one is made, which `new_code` is told. `told` gets the key of the peer, or an error and an empty text. */
typedef void (*godwit_told)(godwit_node* node, godwit_status status, const char* text, void* context);
godwit_status godwit_node_connect_by_code(godwit_node* node, const char* address, const char* public_key,
                                          const char* code, godwit_notice new_code, godwit_connected done,
                                          void* context);
godwit_status godwit_node_listen_by_code(godwit_node* node, const char* address, const char* public_key,
                                         const char* code, godwit_notice new_code, godwit_told told, void* context);
/* Node::map_port() (node.h): `way` "auto", "pcp", "nat-pmp" or "upnp"; `told`, which may be null, of the address. */
godwit_status godwit_node_map_port(godwit_node* node, const char* way, godwit_told told, void* context);
/* Copies `bytes`; send_pieces() copies the pieces end to end. *message may be null. On an error nothing was queued. */
godwit_status godwit_node_send(godwit_node* node, godwit_connection connection, const uint8_t* bytes, size_t length,
                               const godwit_send_options* options, godwit_message* message);
/* Borrows `bytes`: they stay alive and unchanged until the acknowledged or failed event names the message. */
godwit_status godwit_node_send_borrowed(godwit_node* node, godwit_connection connection, const uint8_t* bytes,
                                        size_t length, const godwit_send_options* options, godwit_message* message);
godwit_status godwit_node_send_pieces(godwit_node* node, godwit_connection connection, const godwit_piece* pieces,
                                      size_t count, const godwit_send_options* options, godwit_message* message);
/* False when the message or stream has ended. */
bool godwit_node_extend_send_limit(godwit_node* node, godwit_connection connection, godwit_message message,
                                   uint64_t limit_bytes);
/* `code`, here and below, is a number of the application's: it reaches the peer of an extended session. */
bool godwit_node_cancel(godwit_node* node, godwit_connection connection, godwit_message message, uint64_t code);
uint32_t godwit_node_stream_of(const godwit_node* node, godwit_connection connection, godwit_message message);
bool godwit_node_keep_alive(godwit_node* node, godwit_connection connection, uint32_t stream);
bool godwit_node_stop_receiving(godwit_node* node, godwit_connection connection, uint32_t stream, uint64_t code);
/* A stream of unknown length, as Node::open_stream(), append() and finish() have it (node.h); extended sessions. */
godwit_status godwit_node_open_stream(godwit_node* node, godwit_connection connection,
                                      const godwit_send_options* options, godwit_message* stream);
godwit_status godwit_node_append(godwit_node* node, godwit_connection connection, godwit_message stream,
                                 const uint8_t* bytes, size_t length);
bool godwit_node_finish(godwit_node* node, godwit_connection connection, godwit_message stream);
/* Flow control of extended sessions, as Node::consume(), pause() and resume() have it (node.h). */
void godwit_node_consume(godwit_node* node, godwit_connection connection, uint32_t stream, uint64_t bytes);
bool godwit_node_pause(godwit_node* node, godwit_connection connection, uint32_t stream);
bool godwit_node_resume(godwit_node* node, godwit_connection connection, uint32_t stream);
godwit_status godwit_node_ping(godwit_node* node, godwit_connection connection);
godwit_status godwit_node_reconnect(godwit_node* node, godwit_connection connection);
/* Ends a connection at once; `text` for the peer, or null. */
void godwit_node_close(godwit_node* node, godwit_connection connection, const char* text, uint64_t code);
/* The same once every queued message has been acknowledged or has failed, at the latest after `longest_ns`. */
godwit_status godwit_node_close_when_sent(godwit_node* node, godwit_connection connection, int64_t longest_ns,
                                          const char* text, uint64_t code);
godwit_status godwit_node_set_congestion(godwit_node* node, godwit_connection connection, const char* name);
/* 0: no limit. */
godwit_status godwit_node_set_rate_limit(godwit_node* node, godwit_connection connection, uint64_t bits_per_second);
/* A number that comes with each event of the connection. */
godwit_status godwit_node_set_user_data(godwit_node* node, godwit_connection connection, uint64_t user_data);
/* Those that have not ended: at most `capacity` of them are written; how many there are is returned. */
size_t godwit_node_connections(const godwit_node* node, godwit_connection* connections, size_t capacity);
/* Why a connection does not go directly to its peer: PathWhy of types.h, whose numbers hold here too; 0: it does. */
typedef enum godwit_path_why {
  GODWIT_PATH_DIRECT = 0, GODWIT_PATH_SEARCHING = 1, GODWIT_PATH_NO_OTHER_ADDRESS = 2, GODWIT_PATH_NO_CAPABILITY = 3,
  GODWIT_PATH_OWN_PORT_CHANGES = 4, GODWIT_PATH_PEER_PORT_CHANGES = 5, GODWIT_PATH_BOTH_PORTS_CHANGE = 6,
  GODWIT_PATH_UNASKED_ANSWERED = 7, GODWIT_PATH_NO_ANSWER = 8, GODWIT_PATH_UDP_BLOCKED = 9, GODWIT_PATH_RELAY_FULL = 10
} godwit_path_why;
/* Of a connection that has not ended; 64 bytes hold any address. */
godwit_status godwit_node_remote_address(const godwit_node* node, godwit_connection connection, char* text,
                                         size_t capacity);
void godwit_node_liveness(const godwit_node* node, godwit_connection connection, godwit_liveness* liveness);
godwit_status godwit_node_statistics(const godwit_node* node, godwit_connection connection,
                                     godwit_statistics* statistics);
godwit_status godwit_node_path_why(const godwit_node* node, godwit_connection connection, godwit_path_why* why);
void godwit_node_endpoint_statistics(const godwit_node* node, godwit_endpoint_statistics* statistics);
/* All counters as text for Prometheus, as Node::metrics() (node.h) has it. It belongs to the node and lives until the
 * next call of this function. */
godwit_status godwit_node_metrics(godwit_node* node, const char** text);

/* Handles events until godwit_node_stop(). */
void godwit_node_run(godwit_node* node, godwit_handler handler, void* context);
/* One turn of the loop: waits at most `longest_wait_ns`, handles what happened. */
void godwit_node_turn(godwit_node* node, godwit_handler handler, void* context, int64_t longest_wait_ns);
/* For loops of others: call godwit_node_turn(…, 0) when the descriptor is readable and when so many nanoseconds have
 * passed (-1: only on input). Ask anew after each turn, send or close. */
int godwit_node_descriptor(const godwit_node* node);
int64_t godwit_node_next_timeout(const godwit_node* node);
/* Closes all connections and turns until every peer has answered, or the time has passed. */
void godwit_node_shut_down(godwit_node* node, godwit_handler handler, void* context, int64_t longest_ns,
                           const char* text);
/* From any thread, the first two from signal handlers too. The last runs `call` on the loop's thread, where not too
 * many wait (GODWIT_WOULD_BLOCK). */
void godwit_node_stop(godwit_node* node);
void godwit_node_wake(godwit_node* node);
godwit_status godwit_node_post(godwit_node* node, void (*call)(godwit_node* node, void* context), void* context);

/* ---- The transport without I/O ---- */
typedef struct godwit_endpoint godwit_endpoint;

/* One peer's datagrams end to end, each of `segment_size` bytes, the last perhaps shorter: what UDP_SEGMENT takes. */
typedef struct godwit_transmit {
  size_t size; /* of this structure: set it to sizeof(godwit_transmit) before each call; as much is filled in */
  /* The peer, and `length` bytes for it. */
  godwit_address remote;
  const uint8_t* bytes;
  size_t length;
  size_t segment_size;
  /* The address to send from, where godwit_endpoint_receive() was told at which one the peer's datagrams arrive. */
  bool has_local;
  godwit_address local;
} godwit_transmit;

/* Times are nanoseconds on a clock of the caller's that never goes back. */
godwit_status godwit_endpoint_make(const godwit_options* options, const uint8_t secret[32], godwit_endpoint** endpoint);
void godwit_endpoint_destroy(godwit_endpoint* endpoint); /* null is allowed */
godwit_status godwit_endpoint_connect(godwit_endpoint* endpoint, int64_t now, const godwit_address* remote,
                                      const char* public_key, godwit_connection* connection);
/* Decrypts in place: `bytes` stay until godwit_endpoint_poll_event() has returned false. `local` is the address at
 * which they arrived (IP_PKTINFO), for hosts with several, or null. */
void godwit_endpoint_receive(godwit_endpoint* endpoint, int64_t now, const godwit_address* remote, uint8_t* bytes,
                             size_t length, size_t segment_size, const godwit_address* local);
void godwit_endpoint_handle_timeout(godwit_endpoint* endpoint, int64_t now);
/* What follows does what the function of the same name does for a node (above), or that of Endpoint (endpoint.h). */
godwit_status godwit_endpoint_send(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                                   const uint8_t* bytes, size_t length, const godwit_send_options* options,
                                   godwit_message* message);
godwit_status godwit_endpoint_send_pieces(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                                          const godwit_piece* pieces, size_t count, const godwit_send_options* options,
                                          godwit_message* message);
godwit_status godwit_endpoint_send_borrowed(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                                            const uint8_t* bytes, size_t length, const godwit_send_options* options,
                                            godwit_message* message);
bool godwit_endpoint_extend_send_limit(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                                       godwit_message message, uint64_t limit_bytes);
bool godwit_endpoint_cancel(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                            godwit_message message, uint64_t code);
uint32_t godwit_endpoint_stream_of(const godwit_endpoint* endpoint, godwit_connection connection,
                                   godwit_message message);
bool godwit_endpoint_keep_alive(godwit_endpoint* endpoint, int64_t now, godwit_connection connection, uint32_t stream);
bool godwit_endpoint_stop_receiving(godwit_endpoint* endpoint, godwit_connection connection, uint32_t stream,
                                    uint64_t code);
godwit_status godwit_endpoint_open_stream(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                                          const godwit_send_options* options, godwit_message* stream);
godwit_status godwit_endpoint_append(godwit_endpoint* endpoint, godwit_connection connection, godwit_message stream,
                                     const uint8_t* bytes, size_t length);
bool godwit_endpoint_finish(godwit_endpoint* endpoint, godwit_connection connection, godwit_message stream);
void godwit_endpoint_consume(godwit_endpoint* endpoint, godwit_connection connection, uint32_t stream, uint64_t bytes);
bool godwit_endpoint_pause(godwit_endpoint* endpoint, godwit_connection connection, uint32_t stream);
bool godwit_endpoint_resume(godwit_endpoint* endpoint, godwit_connection connection, uint32_t stream);
godwit_status godwit_endpoint_ping(godwit_endpoint* endpoint, int64_t now, godwit_connection connection);
godwit_status godwit_endpoint_reconnect(godwit_endpoint* endpoint, int64_t now, godwit_connection connection);
void godwit_endpoint_close(godwit_endpoint* endpoint, int64_t now, godwit_connection connection, const char* text,
                           uint64_t code);
void godwit_endpoint_close_all(godwit_endpoint* endpoint, int64_t now, const char* text);
godwit_status godwit_endpoint_set_congestion(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                                             const char* name);
godwit_status godwit_endpoint_set_rate_limit(godwit_endpoint* endpoint, int64_t now, godwit_connection connection,
                                             uint64_t bits_per_second);
godwit_status godwit_endpoint_set_user_data(godwit_endpoint* endpoint, godwit_connection connection,
                                            uint64_t user_data);
const char* godwit_endpoint_public_key(const godwit_endpoint* endpoint);
size_t godwit_endpoint_connections(const godwit_endpoint* endpoint, godwit_connection* connections, size_t capacity);
/* GODWIT_NOT_FOUND for a connection that has ended. */
godwit_status godwit_endpoint_remote_address(const godwit_endpoint* endpoint, godwit_connection connection,
                                             godwit_address* remote);
godwit_status godwit_endpoint_connection_statistics(const godwit_endpoint* endpoint, godwit_connection connection,
                                                    godwit_statistics* statistics);
void godwit_endpoint_statistics_of(const godwit_endpoint* endpoint, godwit_endpoint_statistics* statistics);
godwit_status godwit_endpoint_metrics(godwit_endpoint* endpoint, const char** text);
void godwit_endpoint_liveness(const godwit_endpoint* endpoint, godwit_connection connection, godwit_liveness* liveness);
/* Connections whose peer has not answered the close packet yet: worth a second of turns before the socket closes. */
size_t godwit_endpoint_closing_count(const godwit_endpoint* endpoint);
/* False when there is nothing to send now. The bytes live until the next call. */
bool godwit_endpoint_poll_transmit(godwit_endpoint* endpoint, int64_t now, godwit_transmit* transmit);
/* False when nothing has happened. Set event->size to sizeof(godwit_event) before. */
bool godwit_endpoint_poll_event(godwit_endpoint* endpoint, godwit_event* event);
int64_t godwit_endpoint_next_timeout(const godwit_endpoint* endpoint); /* of ..._handle_timeout(); -1: after input */
/* Endpoint::prepare_handshakes(), for a loop with nothing to do: false when enough is prepared. */
bool godwit_endpoint_prepare_handshakes(godwit_endpoint* endpoint);

/* </cdef> */

#ifdef __cplusplus
}
#endif
#pragma GCC visibility pop
