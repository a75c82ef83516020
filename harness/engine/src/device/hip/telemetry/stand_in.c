/* Stands in for rocm-smi's library in tests: two devices, of which the second is watched.
 *
 * Signatures, units and status codes are those of rocm_smi.h (ROCm 6 and 7), written down a second
 * time, so that the caller's view of them is checked by a C compiler's. NO_ENERGY, NO_START and
 * NO_COUNT make it fail as an older library, a machine without the driver, and a foreign one would. */
#include <stdint.h>

enum { SUCCESS = 0, INVALID_ARGS = 1, NOT_SUPPORTED = 2, INIT_ERROR = 8, INSUFFICIENT_SIZE = 11 };

typedef struct {
    uint32_t process_id, pasid;
    uint64_t vram_usage, sdma_usage;
    uint32_t cu_occupancy;
} rsmi_process_info_t;

uint32_t rsmi_init(uint64_t flags) {
#ifdef NO_START
    return INIT_ERROR;
#else
    return flags == 0 ? SUCCESS : INVALID_ARGS;
#endif
}

#ifndef NO_COUNT
uint32_t rsmi_num_monitor_devices(uint32_t *count) {
    *count = 2;
    return SUCCESS;
}
#endif

/* Domain 0, bus 0x41 or 0xc1, device 3, function 1; the second is a partition of its device. */
uint32_t rsmi_dev_pci_id_get(uint32_t device, uint64_t *id) {
    *id = (device == 1 ? 0xc100u | 5u << 28 : 0x4100u) | 3 << 3 | 1;
    return SUCCESS;
}

#ifndef NO_ENERGY
uint32_t rsmi_dev_energy_count_get(uint32_t device, uint64_t *ticks, float *microjoules, uint64_t *ns) {
    if (device != 1) return NOT_SUPPORTED;
    *ticks = 4000000;
    *microjoules = 15.25f;
    *ns = 1;
    return SUCCESS;
}
#endif

uint32_t rsmi_dev_power_get(uint32_t device, uint64_t *microwatts, uint32_t *kind) {
    *microwatts = device == 1 ? 650000000 : 1;
    *kind = 1;
    return SUCCESS;
}

/* The board has a sensor at the junction and none at the edge. */
uint32_t rsmi_dev_temp_metric_get(uint32_t device, uint32_t sensor, uint32_t metric, int64_t *millidegrees) {
    if (device != 1 || sensor != 1 || metric != 0) return NOT_SUPPORTED;
    *millidegrees = 47000;
    return SUCCESS;
}

/* Processes 4194305 to 4194308, beyond the highest number that Linux gives. */
uint32_t rsmi_compute_process_info_get(rsmi_process_info_t *processes, uint32_t *count) {
    if (processes && *count < 4) return INSUFFICIENT_SIZE;
    for (uint32_t i = 0; processes && i < 4; i++) processes[i] = (rsmi_process_info_t){.process_id = 4194305 + i};
    *count = 4;
    return SUCCESS;
}

/* All but the first use the second device; the last has ended in the meantime. */
uint32_t rsmi_compute_process_gpus_get(uint32_t process, uint32_t *devices, uint32_t *count) {
    if (process == 4194308) return NOT_SUPPORTED;
    uint32_t used = process == 4194306 ? 2 : 1;
    if (devices && *count < used) return INSUFFICIENT_SIZE;
    for (uint32_t i = 0; devices && i < used; i++) devices[i] = process == 4194305 ? 0 : 1 - i;
    *count = used;
    return SUCCESS;
}
