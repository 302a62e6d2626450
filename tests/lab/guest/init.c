// The first and nearly only process of a guest of the laboratory. It loads the modules, brings up
// disks and network cards whenever they appear, and answers:
//   port 7     echo, TCP and UDP
//   port 7000  one command for each connection; ../README.md lists them
// One process for each connection keeps it simple; an idle guest costs no time.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <limits.h>
#include <linux/input.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STALL "/proc/sys/kernel/panic_on_rcu_stall"

enum { COMMANDS = 7000, ECHO = 7, TOKENS = 256, WATCHED = 64 };

// What datagrams came to port 7, by their first word. Shared with the processes that answer.
static struct token { char name[48]; unsigned count; } *tokens;
static struct pollfd watched[WATCHED];
static char kinds[WATCHED];
static int watching, to_main;

static void say(const char *format, ...) {
    va_list list;
    va_start(list, format);
    vdprintf(1, format, list);
    va_end(list);
}

static void put(const char *path, const char *text) {
    int file = open(path, O_WRONLY);
    if (file < 0) return;
    if (write(file, text, strlen(text)) < 0) say("guest: %s: %s\n", path, strerror(errno));
    close(file);
}

// The first line of a file, or nothing.
static char *get(const char *path, char *line, int size) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = file < 0 ? 0 : read(file, line, size - 1);
    if (file >= 0) close(file);
    line[count < 0 ? 0 : count] = 0;
    line[strcspn(line, "\n")] = 0;
    return line;
}

static void watch(int file, char kind) {
    if (file < 0 || watching == WATCHED) return;
    watched[watching] = (struct pollfd){ .fd = file, .events = POLLIN };
    kinds[watching++] = kind;
}

static pid_t spawn(const char *const *arguments) {
    pid_t child = fork();
    if (child) return child;
    signal(SIGCHLD, SIG_DFL);
    execv(arguments[0], (char *const *)arguments);
    _exit(127);
}

static void modules(void) {
    char name[256], path[300];
    FILE *order = fopen("/modules/order", "r");
    while (order && fscanf(order, "%255s", name) == 1) {
        snprintf(path, sizeof path, "/modules/%s", name);
        int file = open(path, O_RDONLY | O_CLOEXEC);
        // All disks are there when the module is loaded: none has to be waited for.
        const char *options = strncmp(name, "scsi_mod", 8) ? "" : "scan=sync";
        if (syscall(SYS_finit_module, file, options, 0) && errno != ENODEV) say("guest: %s: %s\n", name, strerror(errno));
        close(file);
    }
    if (order) fclose(order);
}

// A network card came: the interface goes up and asks for its address, now and when the lease ends.
static void card(const char *name) {
    static struct { unsigned index; pid_t client; } cards[64];
    char path[300];
    unsigned index = if_nametoindex(name), free = 0;
    snprintf(path, sizeof path, "/sys/class/net/%s/device", name);
    if (!index || access(path, F_OK)) return;
    for (unsigned i = 0; i < 64; i++) {
        if (cards[i].index == index && !kill(cards[i].client, 0)) return;
        // A card that was unplugged takes its client along.
        char gone[IF_NAMESIZE];
        if (cards[i].index && !if_indextoname(cards[i].index, gone)) kill(cards[i].client, SIGKILL), cards[i].index = 0;
        if (!cards[i].index) free = i;
    }
    cards[free].index = index;
    cards[free].client = spawn((const char *[]){ "/bin/udhcpc", "-f", "-i", name, "-s", "/etc/lease", "-t", "10", "-T", "1", "-A", "2", NULL });
}

// Every processor and every piece of memory that is plugged in is used at once.
static void hotplug(const char *directory, const char *prefix) {
    char path[300], line[32];
    DIR *entries = opendir(directory);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) || !isdigit(entry->d_name[strlen(prefix)])) continue;
        snprintf(path, sizeof path, "%s/%s/online", directory, entry->d_name);
        if (!strcmp(get(path, line, sizeof line), "0")) put(path, "1");
    }
    if (entries) closedir(entries);
}

static void everything(const char *directory, void (*what)(const char *)) {
    DIR *entries = opendir(directory);
    for (struct dirent *entry; entries && (entry = readdir(entries));)
        if (entry->d_name[0] != '.') what(entry->d_name);
    if (entries) closedir(entries);
}

static void buttons(const char *name) {
    char path[300];
    snprintf(path, sizeof path, "/dev/input/%s", name);
    if (!strncmp(name, "event", 5)) watch(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), 'b');
}

static void listen_on(int port, int kind) {
    // Who comes by IPv4 is there too, under an IPv6 address that stands for it.
    int file = socket(AF_INET6, kind | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in6 here = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(file, (void *)&here, sizeof here) || (kind == SOCK_STREAM && listen(file, 64))) {
        close(file);
        return;
    }
    watch(file, kind == SOCK_DGRAM ? 'u' : port == COMMANDS ? 'c' : 'e');
}

static struct sockaddr_in address(const char *text, int port) {
    struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons(port) };
    if (inet_pton(AF_INET, text, &there.sin_addr) != 1) { say("error: '%s' is no address\n", text); exit(1); }
    return there;
}

// An address of either family. One of a link goes through the first card.
static struct sockaddr_in6 address6(const char *text, int port) {
    struct sockaddr_in6 there = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    if (!strchr(text, ':')) {
        struct sockaddr_in old = address(text, port);
        there.sin6_addr.s6_addr[10] = there.sin6_addr.s6_addr[11] = 0xff;
        memcpy(there.sin6_addr.s6_addr + 12, &old.sin_addr, 4);
    } else if (inet_pton(AF_INET6, text, &there.sin6_addr) != 1) { say("error: '%s' is no address\n", text); exit(1); }
    if (IN6_IS_ADDR_LINKLOCAL(&there.sin6_addr) || IN6_IS_ADDR_MULTICAST(&there.sin6_addr)) there.sin6_scope_id = if_nametoindex("eth0");
    return there;
}

static const char *why(int error) {
    switch (error) {
    case 0: return "open";
    case ECONNREFUSED: return "refused";
    case EINPROGRESS: case EAGAIN: case ETIMEDOUT: return "timeout";
    case ENETUNREACH: case EHOSTUNREACH: return "unreachable";
    default: return strerror(error);
    }
}

static int within(int file, short events, int milliseconds) {
    struct pollfd one = { .fd = file, .events = events };
    return poll(&one, 1, milliseconds) == 1;
}

static void try_tcp(const char *to, int port, int wait) {
    struct sockaddr_in6 there = address6(to, port);
    int file = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), error = 0;
    socklen_t size = sizeof error;
    if (connect(file, (void *)&there, sizeof there) && errno != EINPROGRESS) error = errno;
    else if (!within(file, POLLOUT, wait)) error = ETIMEDOUT;
    else getsockopt(file, SOL_SOCKET, SO_ERROR, &error, &size);
    say("%s\n", why(error));
}

static void try_udp(const char *to, int port, int wait) {
    struct sockaddr_in6 there = address6(to, port);
    char answer[64];
    int file = socket(AF_INET6, SOCK_DGRAM, 0);
    if (connect(file, (void *)&there, sizeof there) || send(file, "probe", 5, 0) < 0) { say("%s\n", why(errno)); return; }
    if (!within(file, POLLIN, wait)) { say("timeout\n"); return; }
    say("%s\n", recv(file, answer, sizeof answer, 0) < 0 ? why(errno) : "open");
}

static unsigned short checksum(const void *data, size_t size) {
    const unsigned char *bytes = data;
    unsigned sum = 0;
    for (size_t i = 0; i < size; i += 2) sum += bytes[i] << 8 | (i + 1 < size ? bytes[i + 1] : 0);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return htons(~sum);
}

static void try_ping6(const char *to, int wait) {
    struct sockaddr_in6 there = address6(to, 0), from;
    socklen_t size = sizeof from;
    struct { struct icmp6_hdr head; char rest[16]; } echo = { .head = { .icmp6_type = ICMP6_ECHO_REQUEST } }, answer;
    int file = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
    echo.head.icmp6_id = getpid();
    if (sendto(file, &echo, sizeof echo, 0, (void *)&there, sizeof there) < 0) { say("%s\n", why(errno)); return; }
    while (within(file, POLLIN, wait))
        if (recvfrom(file, &answer, sizeof answer, 0, (void *)&from, &size) == sizeof answer && IN6_ARE_ADDR_EQUAL(&from.sin6_addr, &there.sin6_addr)
            && answer.head.icmp6_type == ICMP6_ECHO_REPLY && answer.head.icmp6_id == echo.head.icmp6_id) { say("open\n"); return; }
    say("timeout\n");
}

static void try_ping(const char *to, int wait) {
    if (strchr(to, ':')) { try_ping6(to, wait); return; }
    struct sockaddr_in there = address(to, 0);
    struct { struct icmphdr head; char rest[16]; } echo = { .head = { .type = ICMP_ECHO } };
    struct { struct iphdr ip; struct icmphdr icmp; char rest[64]; } answer;
    int file = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    echo.head.un.echo.id = getpid();
    echo.head.checksum = checksum(&echo, sizeof echo);
    if (sendto(file, &echo, sizeof echo, 0, (void *)&there, sizeof there) < 0) { say("%s\n", why(errno)); return; }
    while (within(file, POLLIN, wait)) {
        if (recv(file, &answer, sizeof answer, 0) < (ssize_t)(sizeof answer.ip + sizeof answer.icmp)) continue;
        if (answer.ip.saddr != there.sin_addr.s_addr) continue;
        if (answer.icmp.type == ICMP_ECHOREPLY && answer.icmp.un.echo.id == echo.head.un.echo.id) { say("open\n"); return; }
    }
    say("timeout\n");
}

// The card and the neighbour through which an address is reached, by asking the kernel to reach it.
static void route(const char *to, char *card, unsigned char *neighbour) {
    struct sockaddr_in there = address(to, ECHO), here;
    socklen_t size = sizeof here;
    int file = socket(AF_INET, SOCK_DGRAM, 0);
    char line[256], ip[64], mac[64], device[64], gateway[64] = "";
    connect(file, (void *)&there, sizeof there);
    getsockname(file, (void *)&here, &size);
    send(file, "hello", 5, 0);
    struct ifaddrs *all = NULL;
    getifaddrs(&all);
    for (struct ifaddrs *one = all; one; one = one->ifa_next)
        if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET && ((struct sockaddr_in *)one->ifa_addr)->sin_addr.s_addr == here.sin_addr.s_addr) {
            strcpy(card, one->ifa_name);
            unsigned mask = ((struct sockaddr_in *)one->ifa_netmask)->sin_addr.s_addr;
            if ((there.sin_addr.s_addr ^ here.sin_addr.s_addr) & mask) {
                char path[64];
                snprintf(path, sizeof path, "/run/%s.router", card);
                get(path, gateway, sizeof gateway);
            }
        }
    memset(neighbour, 0xff, 6);
    for (int tries = 0; tries < 50; tries++, usleep(20000)) {
        FILE *table = fopen("/proc/net/arp", "r");
        while (table && fgets(line, sizeof line, table))
            if (sscanf(line, "%63s %*s %*s %63s %*s %63s", ip, mac, device) == 3 && !strcmp(ip, gateway[0] ? gateway : to)
                && strcmp(mac, "00:00:00:00:00:00")) {
                sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", neighbour, neighbour + 1, neighbour + 2, neighbour + 3, neighbour + 4, neighbour + 5);
                fclose(table);
                return;
            }
        if (table) fclose(table);
    }
}

static void frame(const char *card, int protocol, const void *data, size_t size) {
    int file = socket(AF_PACKET, SOCK_RAW, htons(protocol));
    struct sockaddr_ll there = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = if_nametoindex(card), .sll_halen = 6 };
    memcpy(there.sll_addr, data, 6);
    say("%s\n", sendto(file, data, size, 0, (void *)&there, sizeof there) < 0 ? strerror(errno) : "sent");
    close(file);
}

static void own_mac(const char *card, unsigned char *mac) {
    struct ifreq request = { 0 };
    int file = socket(AF_INET, SOCK_DGRAM, 0);
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", card);
    if (!ioctl(file, SIOCGIFHWADDR, &request)) memcpy(mac, request.ifr_hwaddr.sa_data, 6);
    close(file);
}

// A packet of IPv6 with whatever it says of itself; where it goes, the kernel knows.
static void send6(int protocol, const char *from, const char *to, void *content, size_t length, unsigned short *sum) {
    struct { struct ip6_hdr ip; char content[128]; } packet = { 0 };
    struct { struct in6_addr from, to; unsigned length, protocol; char content[128]; } pseudo = { 0 };
    struct sockaddr_in6 there = address6(to, 0);
    int file = socket(AF_INET6, SOCK_RAW, IPPROTO_RAW);
    packet.ip.ip6_flow = htonl(6 << 28);
    packet.ip.ip6_plen = htons(length);
    packet.ip.ip6_nxt = protocol;
    packet.ip.ip6_hlim = 255;
    pseudo.from = packet.ip.ip6_src = address6(from, 0).sin6_addr;
    pseudo.to = packet.ip.ip6_dst = there.sin6_addr;
    pseudo.length = htonl(length);
    pseudo.protocol = htonl(protocol);
    memcpy(pseudo.content, content, length);
    *sum = checksum(&pseudo, sizeof pseudo - sizeof pseudo.content + length);
    memcpy(packet.content, content, length);
    say("%s\n", sendto(file, &packet, sizeof packet.ip + length, 0, (void *)&there, sizeof there) < 0 ? strerror(errno) : "sent");
    close(file);
}

// The same datagram as below.
static void forge6(const char *from, const char *to, const char *token) {
    struct { struct udphdr udp; char data[48]; } packet = { .udp = { .source = htons(4000), .dest = htons(ECHO) } };
    size_t size = strlen(token) < 47 ? strlen(token) : 47;
    packet.udp.len = htons(sizeof packet.udp + size);
    memcpy(packet.data, token, size);
    send6(IPPROTO_UDP, from, to, &packet, sizeof packet.udp + size, &packet.udp.check);
}

// Says to all neighbours that we are the router, for this prefix of 64 bits.
static void lead(const char *from, const char *prefix) {
    struct { struct nd_router_advert head; struct nd_opt_prefix_info own; } packet = {
        .head = { .nd_ra_type = ND_ROUTER_ADVERT, .nd_ra_curhoplimit = 64, .nd_ra_router_lifetime = htons(1800) },
        .own = { ND_OPT_PREFIX_INFORMATION, 4, 64, ND_OPT_PI_FLAG_ONLINK | ND_OPT_PI_FLAG_AUTO, htonl(86400), htonl(86400), 0, address6(prefix, 0).sin6_addr } };
    send6(IPPROTO_ICMPV6, from, "ff02::1", &packet, sizeof packet, &packet.head.nd_ra_cksum);
}

// A datagram to port 7 of another guest, from an IP or MAC address that may not be our own.
static void forge(const char *mac, const char *from, const char *to, const char *token) {
    struct { struct ethhdr eth; struct iphdr ip; struct udphdr udp; char data[48]; } __attribute__((packed)) packet = { 0 };
    char card[IFNAMSIZ] = "eth0";
    size_t size = strlen(token) < 47 ? strlen(token) : 47;
    route(to, card, packet.eth.h_dest);
    own_mac(card, packet.eth.h_source);
    if (mac) sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", packet.eth.h_source, packet.eth.h_source + 1, packet.eth.h_source + 2, packet.eth.h_source + 3, packet.eth.h_source + 4, packet.eth.h_source + 5);
    packet.eth.h_proto = htons(ETH_P_IP);
    packet.ip = (struct iphdr){ .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .tot_len = htons(sizeof packet.ip + sizeof packet.udp + size),
        .saddr = address(from, 0).sin_addr.s_addr, .daddr = address(to, 0).sin_addr.s_addr };
    packet.ip.check = checksum(&packet.ip, sizeof packet.ip);
    packet.udp = (struct udphdr){ .source = htons(4000), .dest = htons(ECHO), .len = htons(sizeof packet.udp + size) };
    memcpy(packet.data, token, size);
    frame(card, ETH_P_IP, &packet, sizeof packet - sizeof packet.data + size);
}

// Tells a neighbour that an address is ours: he believes it if nobody stands in between.
static void claim(const char *ip, const char *to) {
    struct { struct ethhdr eth; struct ether_arp arp; } __attribute__((packed)) packet = { 0 };
    char card[IFNAMSIZ] = "eth0";
    route(to, card, packet.eth.h_dest);
    own_mac(card, packet.eth.h_source);
    packet.eth.h_proto = htons(ETH_P_ARP);
    packet.arp.ea_hdr = (struct arphdr){ htons(1), htons(ETH_P_IP), 6, 4, htons(ARPOP_REPLY) };
    memcpy(packet.arp.arp_sha, packet.eth.h_source, 6);
    memcpy(packet.arp.arp_tha, packet.eth.h_dest, 6);
    memcpy(packet.arp.arp_spa, &(struct in_addr){ address(ip, 0).sin_addr.s_addr }, 4);
    memcpy(packet.arp.arp_tpa, &(struct in_addr){ address(to, 0).sin_addr.s_addr }, 4);
    frame(card, ETH_P_ARP, &packet, sizeof packet);
}

static void disks(void) {
    char path[600], line[64], serial[64], *comma = "";
    DIR *entries = opendir("/sys/block");
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (!strncmp(entry->d_name, "loop", 4) || !strncmp(entry->d_name, "ram", 3) || entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "/sys/block/%s/size", entry->d_name);
        get(path, line, sizeof line);
        snprintf(path, sizeof path, "/sys/block/%s/serial", entry->d_name);
        get(path, serial, sizeof serial);
        say("%s{\"name\":\"%s\",\"bytes\":%llu,\"serial\":\"%s\"}", comma, entry->d_name, atoll(line) * 512, serial);
        comma = ",";
    }
    if (entries) closedir(entries);
}

static void cards(void) {
    char path[300], mac[64], text[64], *comma = "";
    DIR *entries = opendir("/sys/class/net");
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (entry->d_name[0] == '.' || !strcmp(entry->d_name, "lo")) continue;
        snprintf(path, sizeof path, "/sys/class/net/%s/address", entry->d_name);
        say("%s{\"name\":\"%s\",\"mac\":\"%s\",\"addresses\":[", comma, entry->d_name, get(path, mac, sizeof mac));
        comma = "";
        struct ifaddrs *all = NULL;
        getifaddrs(&all);
        for (struct ifaddrs *one = all; one; one = one->ifa_next) {
            if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET || strcmp(one->ifa_name, entry->d_name)) continue;
            struct sockaddr_in *ip = (void *)one->ifa_addr, *mask = (void *)one->ifa_netmask;
            say("%s\"%s/%d\"", comma, inet_ntop(AF_INET, &ip->sin_addr, text, sizeof text), __builtin_popcount(mask->sin_addr.s_addr));
            comma = ",";
        }
        if (all) freeifaddrs(all);
        say("]}");
        comma = ",";
    }
    if (entries) closedir(entries);
}

// Everything that a test may want to know, as JSON.
static void facts(void) {
    char boot[64], host[128], line[256], file[128], sum[80], *comma = "";
    unsigned long long memory = 0;
    struct timespec now;
    FILE *info = fopen("/proc/meminfo", "r");
    if (info && fscanf(info, "MemTotal: %llu", &memory)) memory *= 1024;
    if (info) fclose(info);
    clock_gettime(CLOCK_BOOTTIME, &now);
    say("{\"uptime\":%lld.%02ld,\"boot\":\"%s\",\"hostname\":\"%s\",", (long long)now.tv_sec, now.tv_nsec / 10000000,
        get("/proc/sys/kernel/random/boot_id", boot, sizeof boot), get("/proc/sys/kernel/hostname", host, sizeof host));
    say("\"cpus\":%ld,\"memory\":%llu,\"firmware\":\"%s\",\"disks\":[", sysconf(_SC_NPROCESSORS_ONLN), memory,
        access("/sys/firmware/efi", F_OK) ? "bios" : "uefi");
    disks();
    say("],\"nics\":[");
    cards();
    say("],\"seed\":{");
    FILE *sums = fopen("/run/seed", "r");
    while (sums && fgets(line, sizeof line, sums))
        if (sscanf(line, "%79s %127s", sum, file) == 2) {
            say("%s\"%s\":\"%s\"", comma, strrchr(file, '/') ? strrchr(file, '/') + 1 : file, sum);
            comma = ",";
        }
    if (sums) fclose(sums);
    say("}}\n");
}

static void run(const char *line) {
    signal(SIGCHLD, SIG_DFL);
    int status = system(line);
    say("exit %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static void seen(const char *token) {
    for (int i = 0; i < TOKENS; i++)
        if (!strcmp(tokens[i].name, token)) { say("%u\n", tokens[i].count); return; }
    say("0\n");
}

static void command(char *line) {
    char word[16], a[64], b[64], c[64], d[64];
    int skip = 0, count = sscanf(line, "%15s %n%63s %63s %63s %63s", word, &skip, a, b, c, d) - 1;
    if (count < 0) return;
    if (!strcmp(word, "facts")) facts();
    else if (!strcmp(word, "run") && count) run(line + skip);
    else if (!strcmp(word, "tcp") && count >= 2) try_tcp(a, atoi(b), count > 2 ? atoi(c) : 2000);
    else if (!strcmp(word, "udp") && count >= 2) try_udp(a, atoi(b), count > 2 ? atoi(c) : 2000);
    else if (!strcmp(word, "ping") && count) try_ping(a, count > 1 ? atoi(b) : 2000);
    else if (!strcmp(word, "spoof-ip") && count == 3 && strchr(a, ':')) forge6(a, b, c);
    else if (!strcmp(word, "spoof-ip") && count == 3) forge(NULL, a, b, c);
    else if (!strcmp(word, "spoof-router") && count == 2) lead(a, b);
    else if (!strcmp(word, "spoof-mac") && count == 4) forge(a, b, c, d);
    else if (!strcmp(word, "spoof-arp") && count == 2) claim(a, b);
    else if (!strcmp(word, "seen") && count) seen(a);
    else if (!strcmp(word, "listen") && count >= 2) {
        // Only the first process can take more ports; it answers when it has.
        if (write(to_main, line, strlen(line)) > 0) say("asked\n");
    } else if (!strcmp(word, "poweroff")) kill(1, SIGTERM);
    else if (!strcmp(word, "reboot")) kill(1, SIGINT);
    else say("error: what is '%s'?\n", word);
}

static void serve(int file, char kind) {
    char data[4096];
    ssize_t size;
    dup2(file, 0);
    dup2(file, 1);
    dup2(file, 2);
    if (kind == 'e') {
        while ((size = read(0, data, sizeof data)) > 0)
            if (write(1, data, size) < 0) break;
    } else if ((size = read(0, data, sizeof data - 1)) > 0) {
        data[size] = 0;
        data[strcspn(data, "\r\n")] = 0;
        command(data);
    }
    _exit(0);
}

static void datagram(int file) {
    char data[512], *end;
    struct sockaddr_in6 from;
    socklen_t size = sizeof from;
    ssize_t count = recvfrom(file, data, sizeof data - 1, MSG_DONTWAIT, (void *)&from, &size);
    if (count < 0) return;
    sendto(file, data, count, MSG_DONTWAIT, (void *)&from, size);
    data[count] = 0;
    for (end = data; *end && !isspace(*end) && end - data < 47; end++) {}
    *end = 0;
    for (int i = 0; i < TOKENS; i++)
        if (!tokens[i].name[0] || !strcmp(tokens[i].name, data)) {
            strcpy(tokens[i].name, data);
            tokens[i].count++;
            return;
        }
}

static void stop(int how) {
    say("guest: %s\n", how == RB_POWER_OFF ? "power off" : "reboot");
    sync();
    reboot(how);
}
static void on_signal(int number) { stop(number == SIGINT ? RB_AUTOBOOT : RB_POWER_OFF); }

static void event(int file, char kind) {
    char data[4096];
    ssize_t size;
    struct input_event *key;
    int port, connection;
    switch (kind) {
    case 'c': case 'e':
        if ((connection = accept4(file, NULL, NULL, SOCK_CLOEXEC)) < 0) return;
        // Somebody may count from now on that we do not start anew.
        put(STALL, "0");
        if (fork() == 0) serve(connection, kind);
        close(connection);
        return;
    case 'u': datagram(file); return;
    case 'b':
        while ((size = read(file, data, sizeof data)) >= (ssize_t)sizeof *key)
            for (key = (void *)data; (char *)(key + 1) <= data + size; key++)
                if (key->type == EV_KEY && key->code == KEY_POWER && key->value == 1) stop(RB_POWER_OFF);
        return;
    case 'n': // something was plugged in; it says what, but to look at everything is simpler
        while (recv(file, data, sizeof data, MSG_DONTWAIT) > 0) {}
        hotplug("/sys/devices/system/cpu", "cpu");
        hotplug("/sys/devices/system/memory", "memory");
        everything("/sys/class/net", card);
        return;
    case 'm':
        if ((size = read(file, data, sizeof data - 1)) <= 0) return;
        data[size] = 0;
        if (sscanf(data, "listen tcp %d", &port) == 1) listen_on(port, SOCK_STREAM);
        if (sscanf(data, "listen udp %d", &port) == 1) listen_on(port, SOCK_DGRAM);
        return;
    }
}

static void raise_loopback(void) {
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
    int file = socket(AF_INET, SOCK_DGRAM, 0);
    if (ioctl(file, SIOCSIFFLAGS, &request)) say("guest: lo: %s\n", strerror(errno));
    close(file);
}

int main(void) {
    int ends[2];
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK, .nl_groups = 1 };
    mount("proc", "/proc", "proc", 0, NULL);
    mount("sys", "/sys", "sysfs", 0, NULL);
    mount("dev", "/dev", "devtmpfs", 0, NULL);
    mount("run", "/run", "tmpfs", 0, NULL);
    int console = open("/dev/console", O_RDWR);
    for (int file = 0; file < 3; file++) dup2(console, file);
    setenv("PATH", "/bin:/sbin", 1);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    tokens = mmap(NULL, TOKENS * sizeof *tokens, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tokens == MAP_FAILED || pipe2(ends, O_CLOEXEC)) return 1;
    to_main = ends[1];
    watch(ends[0], 'm');

    int uevents = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
    bind(uevents, (void *)&kernel, sizeof kernel);
    watch(uevents, 'n');
    put("/sys/devices/system/memory/auto_online_blocks", "online");
    // On a busy machine without KVM, a guest with two processors now and then loses the interrupt of
    // a timer while its drivers look for devices, and would wait for ever. It starts anew instead, if
    // it notices; only until it is ready or was asked something, since what reboots later has to be
    // seen.
    put("/proc/sys/kernel/panic", "-1");
    put(STALL, "1");
    raise_loopback();
    modules();
    spawn((const char *[]){ "/bin/sh", "/etc/start", NULL });
    everything("/sys/class/net", card);
    everything("/dev/input", buttons);
    listen_on(ECHO, SOCK_STREAM);
    listen_on(ECHO, SOCK_DGRAM);
    listen_on(COMMANDS, SOCK_STREAM);
    for (;;)
        if (poll(watched, watching, -1) > 0)
            for (int i = 0; i < watching; i++)
                if (watched[i].revents) event(watched[i].fd, kinds[i]);
}
