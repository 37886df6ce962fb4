//! Columns as the reference of Transact-SQL lists them for each view: names, types, order; with the year from which on a column
//! is there.

use simsql::instance::Version;
use simsql::value::{Column, Length, SqlType, Value};

use crate::server::start;

/// A type as the reference prints it.
fn printed(sql_type: SqlType) -> String {
    let of = |name: &str, length: Length| match length {
        Length::Of(length) => format!("{name}({length})"),
        Length::Max => format!("{name}(max)"),
    };
    match sql_type {
        SqlType::Bit => "bit".to_owned(),
        SqlType::TinyInt => "tinyint".to_owned(),
        SqlType::SmallInt => "smallint".to_owned(),
        SqlType::Int => "int".to_owned(),
        SqlType::BigInt => "bigint".to_owned(),
        SqlType::Real => "real".to_owned(),
        SqlType::Float => "float".to_owned(),
        SqlType::DateTime => "datetime".to_owned(),
        SqlType::UniqueIdentifier => "uniqueidentifier".to_owned(),
        SqlType::Decimal { precision, scale } => format!("numeric({precision},{scale})"),
        SqlType::Binary(length) => format!("binary({length})"),
        SqlType::NVarChar(length) => of("nvarchar", length),
        SqlType::VarChar(length) => of("varchar", length),
        SqlType::VarBinary(length) => of("varbinary", length),
        SqlType::Variant => "sql_variant".to_owned(),
        other => format!("{other:?}"),
    }
}

/// `name type[ year]`, a column each.
fn listed(list: &str, year: u16) -> Vec<(String, String)> {
    list.split(';')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .filter_map(|entry| {
            let parts: Vec<&str> = entry.split_whitespace().collect();
            let since: u16 = parts.get(2).map_or(2012, |year| year.parse().expect("a year"));
            let kind = match parts[1] {
                "sysname" => "nvarchar(128)",
                "lsn" => "numeric(25,0)",
                "guid" => "uniqueidentifier",
                other => other,
            };
            (since <= year).then(|| (parts[0].to_owned(), kind.to_owned()))
        })
        .collect()
}

fn shown(columns: &[Column]) -> Vec<(String, String)> {
    columns
        .iter()
        .map(|column| (column.name.clone(), printed(column.sql_type)))
        .collect()
}

const VERSIONS: [Version; 4] = [Version::V2012, Version::V2016, Version::V2019, Version::V2022];

/// Whole lists of the reference.
const WHOLE: &[(&str, &str)] = &[
    (
        "sys.master_files",
        "database_id int; file_id int; file_guid guid; type tinyint; type_desc nvarchar(60); data_space_id int; name sysname;
         physical_name nvarchar(260); state tinyint; state_desc nvarchar(60); size int; max_size int; growth int; is_media_read_only bit;
         is_read_only bit; is_sparse bit; is_percent_growth bit; is_name_reserved bit; is_persistent_log_buffer bit 2019; create_lsn lsn;
         drop_lsn lsn; read_only_lsn lsn; read_write_lsn lsn; differential_base_lsn lsn; differential_base_guid guid;
         differential_base_time datetime; redo_start_lsn lsn; redo_start_fork_guid guid; redo_target_lsn lsn; redo_target_fork_guid guid;
         backup_lsn lsn; credential_id int 2014",
    ),
    (
        "sys.database_recovery_status",
        "database_id int; database_guid guid; family_guid guid; last_log_backup_lsn lsn; recovery_fork_guid guid;
         first_recovery_fork_guid guid; fork_point_lsn lsn",
    ),
    (
        "sys.dm_exec_requests",
        "session_id smallint; request_id int; start_time datetime; status nvarchar(30); command nvarchar(32); sql_handle varbinary(64);
         statement_start_offset int; statement_end_offset int; plan_handle varbinary(64); database_id smallint; user_id int;
         connection_id guid; blocking_session_id smallint; wait_type nvarchar(60); wait_time int; last_wait_type nvarchar(60);
         wait_resource nvarchar(256); open_transaction_count int; open_resultset_count int; transaction_id bigint;
         context_info varbinary(128); percent_complete real; estimated_completion_time bigint; cpu_time int; total_elapsed_time int;
         scheduler_id int; task_address varbinary(8); reads bigint; writes bigint; logical_reads bigint; text_size int;
         language nvarchar(128); date_format nvarchar(3); date_first smallint; quoted_identifier bit; arithabort bit;
         ansi_null_dflt_on bit; ansi_defaults bit; ansi_warnings bit; ansi_padding bit; ansi_nulls bit; concat_null_yields_null bit;
         transaction_isolation_level smallint; lock_timeout int; deadlock_priority int; row_count bigint; prev_error int; nest_level int;
         granted_query_memory int; executing_managed_code bit; group_id int; query_hash binary(8); query_plan_hash binary(8);
         statement_sql_handle varbinary(64) 2014; statement_context_id bigint 2014; dop int 2016; parallel_worker_count int 2016;
         external_script_request_id guid 2016; is_resumable bit 2017; page_resource binary(8) 2019; page_server_reads bigint 2019",
    ),
    (
        "sys.dm_exec_sessions",
        "session_id smallint; login_time datetime; host_name nvarchar(128); program_name nvarchar(128); host_process_id int;
         client_version int; client_interface_name nvarchar(32); security_id varbinary(85); login_name nvarchar(128);
         nt_domain nvarchar(128); nt_user_name nvarchar(128); status nvarchar(30); context_info varbinary(128); cpu_time int;
         memory_usage int; total_scheduled_time int; total_elapsed_time int; endpoint_id int; last_request_start_time datetime;
         last_request_end_time datetime; reads bigint; writes bigint; logical_reads bigint; is_user_process bit; text_size int;
         language nvarchar(128); date_format nvarchar(3); date_first smallint; quoted_identifier bit; arithabort bit;
         ansi_null_dflt_on bit; ansi_defaults bit; ansi_warnings bit; ansi_padding bit; ansi_nulls bit; concat_null_yields_null bit;
         transaction_isolation_level smallint; lock_timeout int; deadlock_priority int; row_count bigint; prev_error int;
         original_security_id varbinary(85); original_login_name nvarchar(128); last_successful_logon datetime;
         last_unsuccessful_logon datetime; unsuccessful_logons bigint; group_id int; database_id smallint;
         authenticating_database_id int; open_transaction_count int; page_server_reads bigint 2019",
    ),
    (
        "sys.availability_groups",
        "group_id guid; name sysname; resource_id nvarchar(40); resource_group_id nvarchar(40); failure_condition_level int;
         health_check_timeout int; automated_backup_preference tinyint; automated_backup_preference_desc nvarchar(60);
         version smallint 2016; basic_features bit 2016; dtc_support bit 2016; db_failover bit 2016; is_distributed bit 2016;
         cluster_type tinyint 2017; cluster_type_desc nvarchar(60) 2017; required_synchronized_secondaries_to_commit int 2017;
         sequence_number bigint 2017; is_contained bit 2022",
    ),
    (
        "sys.dm_hadr_database_replica_states",
        "database_id int; group_id guid; replica_id guid; group_database_id guid; is_local bit; is_primary_replica bit 2014;
         synchronization_state tinyint; synchronization_state_desc nvarchar(60); is_commit_participant bit;
         synchronization_health tinyint; synchronization_health_desc nvarchar(60); database_state tinyint;
         database_state_desc nvarchar(60); is_suspended bit; suspend_reason tinyint; suspend_reason_desc nvarchar(60); recovery_lsn lsn;
         truncation_lsn lsn; last_sent_lsn lsn; last_sent_time datetime; last_received_lsn lsn; last_received_time datetime;
         last_hardened_lsn lsn; last_hardened_time datetime; last_redone_lsn lsn; last_redone_time datetime; log_send_queue_size bigint;
         log_send_rate bigint; redo_queue_size bigint; redo_rate bigint; filestream_send_rate bigint; end_of_log_lsn lsn;
         last_commit_lsn lsn; last_commit_time datetime; low_water_mark_for_ghosts bigint; secondary_lag_seconds bigint 2016",
    ),
];

/// Columns that must be among a view's, in this order; the reference lists more.
const AMONG: &[(&str, &str)] = &[
    (
        "sys.databases",
        "name sysname; database_id int; source_database_id int; create_date datetime; compatibility_level tinyint; collation_name sysname;
         user_access tinyint; user_access_desc nvarchar(60); is_read_only bit; is_auto_close_on bit; is_auto_shrink_on bit;
         state tinyint; state_desc nvarchar(60); is_in_standby bit; is_cleanly_shutdown bit; recovery_model tinyint;
         recovery_model_desc nvarchar(60); page_verify_option_desc nvarchar(60); is_published bit; log_reuse_wait tinyint;
         log_reuse_wait_desc nvarchar(60); is_cdc_enabled bit; is_encrypted bit; replica_id guid; group_database_id guid;
         containment tinyint; target_recovery_time_in_seconds int; is_memory_optimized_elevate_to_snapshot_on bit 2014;
         is_accelerated_database_recovery_on bit 2019",
    ),
    (
        "sys.database_mirroring",
        "database_id int; mirroring_guid guid; mirroring_state tinyint; mirroring_role_desc nvarchar(60)",
    ),
    (
        "sys.availability_replicas",
        "replica_id guid; group_id guid; replica_server_name nvarchar(256); availability_mode_desc nvarchar(60);
         secondary_role_allow_connections_desc nvarchar(60); backup_priority int; read_only_routing_url nvarchar(256)",
    ),
    (
        "sys.dm_hadr_availability_replica_states",
        "replica_id guid; is_local bit; role_desc nvarchar(60); connected_state_desc nvarchar(60);
         synchronization_health_desc nvarchar(60)",
    ),
    ("sys.dm_hadr_cluster", "cluster_name nvarchar(128)"),
    (
        "sys.certificates",
        "name sysname; expiry_date datetime; thumbprint varbinary(32); pvt_key_last_backup_date datetime",
    ),
    (
        "sys.credentials",
        "credential_id int; name sysname; credential_identity nvarchar(4000); create_date datetime; modify_date datetime",
    ),
    (
        "sys.dm_database_encryption_keys",
        "database_id int; encryption_state int; encryptor_thumbprint varbinary(20); encryptor_type nvarchar(32); percent_complete real",
    ),
    ("sys.configurations", "name nvarchar(35); value_in_use sql_variant"),
    (
        "sys.dm_db_log_space_usage",
        "used_log_space_in_bytes bigint; log_space_in_bytes_since_last_backup bigint 2014",
    ),
    (
        "sys.dm_db_file_space_usage",
        "allocated_extent_page_count bigint; modified_extent_page_count bigint 2016",
    ),
    ("sys.partitions", "partition_id bigint; object_id int; index_id int; rows bigint"),
    ("sys.dm_db_partition_stats", "object_id int; reserved_page_count bigint; row_count bigint"),
    (
        "sys.dm_os_sys_info",
        "cpu_count int; sqlserver_start_time datetime; socket_count int 2016",
    ),
];

#[test]
fn whole_lists_of_columns_are_the_references() {
    for version in VERSIONS {
        let server = start(version);
        for (view, list) in WHOLE {
            let found = server.view(view, None).unwrap();
            assert_eq!(
                shown(&found.columns),
                listed(list, version.year()),
                "{view} of {version:?}"
            );
        }
    }
}

#[test]
fn columns_that_tools_use_are_there_in_order() {
    for version in VERSIONS {
        let server = start(version);
        for (view, list) in AMONG {
            let shown = shown(&server.view(view, None).unwrap().columns);
            let mut rest = shown.iter();
            for wanted in listed(list, version.year()) {
                assert!(
                    rest.any(|column| *column == wanted),
                    "{view} of {version:?}: {wanted:?}"
                );
            }
        }
    }
}

#[test]
fn table_functions_have_the_references_columns() {
    let server = start(Version::V2022);
    let log = "database_id int; recovery_model nvarchar(60); log_min_lsn nvarchar(24); log_end_lsn nvarchar(24);
        current_vlf_sequence_number bigint; current_vlf_size_mb float; total_vlf_count bigint; total_log_size_mb float;
        active_vlf_count bigint; active_log_size_mb float; log_truncation_holdup_reason nvarchar(60); log_backup_time datetime;
        log_backup_lsn nvarchar(24); log_since_last_log_backup_mb float; log_checkpoint_lsn nvarchar(24);
        log_since_last_checkpoint_mb float; log_recovery_lsn nvarchar(24); log_recovery_size_mb float; recovery_vlf_count bigint";
    // With NULLs a table function tells its columns and has no rows.
    let found = server.view("sys.dm_db_log_stats", Some(&[Value::Null])).unwrap();
    assert_eq!(shown(&found.columns), listed(log, 2022));
    assert!(found.rows.is_empty());
    let volume = server
        .view("sys.dm_os_volume_stats", Some(&[Value::Null, Value::Null]))
        .unwrap();
    let shown = shown(&volume.columns);
    for wanted in listed(
        "volume_mount_point nvarchar(512); total_bytes bigint; available_bytes bigint",
        2022,
    ) {
        assert!(shown.contains(&wanted), "{wanted:?}");
    }
}

#[test]
fn what_came_later_is_not_there_before() {
    for (view, since) in [
        ("sys.dm_os_host_info", 2017),
        ("sys.dm_hadr_physical_seeding_stats", 2016),
    ] {
        for version in VERSIONS {
            let is_there = start(version).view(view, None).is_some();
            assert_eq!(is_there, version.year() >= since, "{view} of {version:?}");
        }
    }
    let server = start(Version::V2016);
    let mut session = server.session();
    assert_eq!(
        server.error(&mut session, "SELECT * FROM sys.dm_os_host_info"),
        208
    );
    let missing = "SELECT is_accelerated_database_recovery_on FROM sys.databases";
    assert_eq!(server.error(&mut session, missing), 207);
}
