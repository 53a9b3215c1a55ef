{#
  The crosswalk: every customer record of every system → its golden customer.

  1. An id that one system keeps of the other's record, within their business unit, is believed where it is corroborated:
     equal normalised names, or equal country and domain. 1.5 % of such ids are wrong in practice.
  2. Else records with the same normalised name in the same country are one customer. Not for persons: a name is not
     one.
  3. Else a record is its own customer.
  The golden key is that of the oldest ERP record of the group (else CRM record): ids do not move when a name does.
#}
{{ config(
    materialized='incremental', incremental_strategy='versioned', unique_key='customer_record_key', scope='all',
    on_schema_change='append_new_columns', full_refresh=false,
    contract={'enforced': true}
) }}

with customers as (
    select * from {{ ref('int_customers__unioned') }}
),

normalised as (
    select
        connection,
        customer_id,
        {{ connection_unit('connection') }} as business_unit,
        external_customer_id,
        country_code,
        domain,
        is_person,
        {{ role_of('connection') }} as role,
        {{ normalised_name('name') }} as normalised_name
    from customers
),

records as (
    select
        connection,
        customer_id,
        business_unit,
        external_customer_id,
        country_code,
        domain,
        role,
        normalised_name,
        case
            when normalised_name <> '' and country_code is not null and not coalesce(is_person, false)
                then {{ hash_key(["'name'", 'country_code', 'normalised_name']) }}
            else {{ hash_key(["'record'", 'connection', 'customer_id']) }}
        end as block_key
    from normalised
),

-- Both directions of an id kept in the other system.
claimed as (
    select
        crm.connection as crm_connection,
        crm.customer_id as crm_id,
        erp.connection as erp_connection,
        erp.customer_id as erp_id
    from records as crm
    inner join records as erp
        on crm.external_customer_id = erp.customer_id and crm.business_unit = erp.business_unit and erp.role = 'erp'
    where crm.role = 'crm'
    union
    select
        crm.connection as crm_connection,
        crm.customer_id as crm_id,
        erp.connection as erp_connection,
        erp.customer_id as erp_id
    from records as erp
    inner join records as crm
        on erp.external_customer_id = crm.customer_id and erp.business_unit = crm.business_unit and crm.role = 'crm'
    where erp.role = 'erp'
),

believed as (
    select
        claimed.crm_connection,
        claimed.crm_id,
        erp.block_key as erp_block_key,
        case when crm.normalised_name = erp.normalised_name then 'id_and_name' else 'id_and_domain' end as method,
        row_number() over (
            partition by claimed.crm_connection, claimed.crm_id
            order by
                case when crm.normalised_name = erp.normalised_name then 0 else 1 end,
                length(erp.customer_id),
                erp.customer_id
        ) as choice
    from claimed
    inner join records as crm on claimed.crm_connection = crm.connection and claimed.crm_id = crm.customer_id
    inner join records as erp on claimed.erp_connection = erp.connection and claimed.erp_id = erp.customer_id
    where
        (crm.normalised_name = erp.normalised_name and crm.normalised_name <> '')
        or (crm.country_code = erp.country_code and crm.domain = erp.domain)
),

blocks as (
    select
        block_key,
        count(case when role = 'erp' then 1 end) as erp_count,
        count(*) as record_count
    from records
    group by block_key
),

-- A block of CRM records alone follows the id that one of them keeps.
adopted as (
    select
        records.block_key,
        min(believed.erp_block_key) as erp_block_key
    from believed
    inner join records on believed.crm_connection = records.connection and believed.crm_id = records.customer_id
    inner join blocks on records.block_key = blocks.block_key
    where believed.choice = 1 and blocks.erp_count = 0
    group by records.block_key
),

rooted as (
    select
        records.connection,
        records.customer_id,
        records.role,
        coalesce(believed.erp_block_key, adopted.erp_block_key, records.block_key) as root_key,
        case
            when believed.method is not null then believed.method
            when adopted.erp_block_key is not null then 'name_and_country'
            when blocks.record_count > 1 then 'name_and_country'
            else 'own'
        end as method
    from records
    inner join blocks on records.block_key = blocks.block_key
    left join believed
        on
            records.connection = believed.crm_connection
            and records.customer_id = believed.crm_id
            and believed.choice = 1
    left join adopted on records.block_key = adopted.block_key
),

ranked as (
    select
        *,
        row_number() over (
            partition by root_key
            order by case when role = 'erp' then 0 else 1 end, connection, length(customer_id), customer_id
        ) as position_in_group
    from rooted
),

anchors as (
    select
        root_key,
        {{ hash_key(["'customer'", 'connection', 'customer_id']) }} as customer_key
    from ranked
    where position_in_group = 1
),

identified as (
    select
        {{ hash_key(['ranked.connection', 'ranked.customer_id']) }} as customer_record_key,
        ranked.connection,
        ranked.customer_id,
        anchors.customer_key,
        ranked.method,
        ranked.role,
        ranked.position_in_group = 1 as is_anchor
    from ranked
    inner join anchors on ranked.root_key = anchors.root_key
)

{{ versioned('identified') }}
