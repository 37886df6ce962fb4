//! The selection grammar that DBAs know: `USER_DATABASES,-%test%`.
