//! Which member gets a message.

/// So many members are tried for one message. If none of them has room, those that have read for themselves.
const TRIED_MAX: usize = 16;

/// Whose turn it is: one after the other, but for those that have no room.
#[derive(Debug, Default)]
pub(super) struct Turn {
    next: usize,
}

impl Turn {
    /// Offers something to the members in turn until one takes it; `false` if none does.
    pub(super) fn offer<M>(&mut self, members: &[M], mut takes: impl FnMut(&M) -> bool) -> bool {
        let count = members.len();
        for step in 0..count.min(TRIED_MAX) {
            let index = self.next.wrapping_add(step) % count;
            if members.get(index).is_some_and(&mut takes) {
                self.next = index + 1;
                return true;
            }
        }
        // Others are tried the next time.
        self.next = self.next.wrapping_add(TRIED_MAX);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gets_its_turn_and_who_has_no_room_is_passed_over() {
        let mut turn = Turn::default();
        let mut taken = [0_u32; 5];
        for _ in 0..400 {
            assert!(turn.offer(&[0, 1, 2, 3, 4], |member| {
                taken[*member] += u32::from(*member != 2);
                *member != 2
            }));
        }
        assert_eq!(taken, [100, 100, 0, 100, 100]);
        assert!(!turn.offer(&[0, 1], |_| false));
        assert!(!turn.offer::<u8>(&[], |_| true));
    }

    #[test]
    fn the_work_for_one_message_is_bounded_and_every_member_is_reached_in_the_end() {
        let members: Vec<usize> = (0..1_000).collect();
        let mut turn = Turn::default();
        let mut asked = 0;
        let reached = (0..100).any(|_| {
            turn.offer(&members, |member| {
                asked += 1;
                *member == 900
            })
        });
        assert!(reached && asked <= 1_600, "{asked}");
    }
}
