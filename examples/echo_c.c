/* The echo of echo_peer.cc in C: sends every message back, or connects to such a peer and prints what comes back.
 *
 *   echo_c                        prints its address and public key, and listens
 *   echo_c ADDR:PORT KEY MESSAGE  connects */
#include <godwit/godwit_c.h>
#include <stdio.h>
#include <string.h>

struct program {
  const char* message; /* null when listening */
  int result;
};

static int fail(const char* why) {
  fprintf(stderr, "echo_c: %s\n", why);
  return 1;
}

static void on_event(godwit_node* node, const godwit_event* event, void* context) {
  struct program* const program = context;
  const int connects = program->message != NULL;
  switch (event->kind) {
    case GODWIT_EVENT_CONNECTED:
      if (connects && godwit_node_send(node, event->connection, (const uint8_t*)program->message,
                                       strlen(program->message), NULL, NULL) != GODWIT_OK) {
        program->result = fail(godwit_last_error());
        godwit_node_stop(node);
      }
      break;
    case GODWIT_EVENT_MESSAGE:
      if (connects) {
        printf("%.*s\n", (int)event->length, (const char*)event->bytes);
        godwit_node_close(node, event->connection, "thank you", 0);
      } else if (godwit_node_send(node, event->connection, event->bytes, event->length, NULL, NULL) != GODWIT_OK) {
        fprintf(stderr, "echo_c: not answered: %s\n", godwit_last_error());
      }
      break;
    case GODWIT_EVENT_CLOSED:
      if (!connects) break;
      if (event->reason != GODWIT_CLOSE_LOCAL) program->result = fail(event->text);
      godwit_node_stop(node);
      break;
    default: break;
  }
}

int main(int count, char** words) {
  uint8_t secret[32];
  char public_key[65];
  godwit_options options;
  godwit_node* node = NULL;
  struct program program = {.message = count == 4 ? words[3] : NULL, .result = 0};

  if (godwit_generate_key(secret) != GODWIT_OK || godwit_public_key(secret, public_key) != GODWIT_OK) {
    return fail(godwit_last_error());
  }
  godwit_options_init(&options, sizeof options);
  options.bind = "127.0.0.1:0";
  if (godwit_node_open(&options, secret, &node) != GODWIT_OK) return fail(godwit_last_error());
  if (program.message != NULL) {
    godwit_connection connection;
    if (godwit_node_connect(node, words[1], words[2], &connection) != GODWIT_OK) return fail(godwit_last_error());
  } else {
    printf("listening on %s\npublic key %s\n", godwit_node_local_address(node), public_key);
    fflush(stdout);
  }
  godwit_node_run(node, on_event, &program);
  godwit_node_shut_down(node, on_event, &program, 1000000000, NULL);
  godwit_node_destroy(node);
  return program.result;
}
