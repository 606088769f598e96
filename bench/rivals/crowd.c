// Connections that do nothing: crowd HOST PORT COUNT
//
// Opens COUNT connections, prints a line, and waits for one on its standard input: at "close" it
// ends them one after the other, at "reset" by RST. It ends when its input does, and closes whatever is left:
// the end of a process is work for the one that waits for it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_PER_ADDRESS = 4000 };

static void Die(const char* what) {
  perror(what);
  exit(1);
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
  if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) Die(argv[1]);

  int count = atoi(argv[3]);
  int* sockets = calloc((size_t)count, sizeof *sockets);
  if (sockets == NULL) Die("calloc");
  for (int i = 0; i < count; i++) {
    sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sockets[i] < 0) Die("socket");
    // The kernel looks long for a port when most of an address are taken.
    int on = 1;
    struct sockaddr_in source = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(i / CONNECTIONS_PER_ADDRESS));
    setsockopt(sockets[i], IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(sockets[i], (struct sockaddr*)&source, sizeof source) != 0) Die("bind");
    if (connect(sockets[i], (struct sockaddr*)&address, sizeof address) != 0) Die("connect");
  }
  puts("connected");
  fflush(stdout);

  char order[16] = "";
  if (fgets(order, sizeof order, stdin) == NULL) return 0;
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  for (int i = 0; i < count; i++) {
    if (strncmp(order, "reset", 5) == 0) {
      setsockopt(sockets[i], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    }
    close(sockets[i]);
  }
  while (fgets(order, sizeof order, stdin) != NULL);
  return 0;
}
