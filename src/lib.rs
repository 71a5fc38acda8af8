//! Placeholder front page of `headwater`.
