//! Which of the processes that use a device are another program's.

/// How many of these belong to others than this run, whose workers share a parent and wait while one
/// of them works.
pub fn of_others(processes: impl IntoIterator<Item = u32>) -> usize {
    let ours = parent(std::process::id());
    processes.into_iter().filter(|process| parent(*process) != ours).count()
}

fn parent(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in parentheses may hold blanks; state and parent follow it.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_its_parent() {
        assert_eq!(parent(std::process::id()), Some(std::os::unix::process::parent_id()));
    }

    #[test]
    fn those_of_another_parent_are_others() {
        // Process 1 has no parent, and the last number is beyond the highest that Linux gives.
        assert_eq!(of_others([std::process::id(), 1, 4_194_305]), 2);
    }
}
