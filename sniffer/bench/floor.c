/* The floor of the benchmark: libpcap reads the file and does nothing with its packets. */
#include <pcap/pcap.h>
#include <stdio.h>

static void each(u_char *count, const struct pcap_pkthdr *header, const u_char *bytes) {
    (void)header;
    (void)bytes;
    ++*(unsigned long *)count;
}

int main(int count, char **arguments) {
    char error[PCAP_ERRBUF_SIZE];
    unsigned long packets = 0;
    pcap_t *file = count == 2 ? pcap_open_offline(arguments[1], error) : NULL;
    if (file == NULL) {
        fprintf(stderr, "floor: one capture file, please\n");
        return 1;
    }
    if (pcap_loop(file, -1, each, (u_char *)&packets) != 0) {
        pcap_perror(file, "floor");
        return 1;
    }
    printf("%lu\n", packets);
    pcap_close(file);
    return 0;
}
